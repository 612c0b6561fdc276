"""Attention of one new token per row over a cache, compiled for CPUs.

torch's products of a matrix with a single row are bound by calls and, in bfloat16, by conversions; here what
bounds is reading the cache. Keys lie feature by feature, values column by column, so that all inner loops run
along memory; bfloat16 is read as it is and widened in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from torch import Tensor

from tracelab.core.jit import dense

LANES = 16  # columns are padded to a multiple: whole vectors of float32
FEATURES = 4  # D is a multiple


def decode(q: Tensor, keys: Tensor, values: Tensor, start: Tensor, used: int) -> Tensor:
    """softmax(q k / √D) v over columns start..used-1 of each row.

    q: (heads, B, 1, D), any float type; keys: (kv_heads, B, D, room) and values: (kv_heads, B, room, D), both
    float32 or both bfloat16; start: (B,). D is a multiple of FEATURES, room one of LANES. -> like q, without
    gradient.
    """
    heads, rows, _, D = q.shape
    scaled = (q[:, :, 0].float() * D**-0.5).contiguous()
    out = torch.empty(heads, rows, D)
    _decode(scaled.numpy(), _bits(keys), _bits(values), start.numpy(), used, out.numpy())
    return out[:, :, None].to(q.dtype)


def _bits(x: Tensor) -> Any:
    """An array over the same memory: float32, or the 16 bits of bfloat16."""
    return x.view(torch.int16).numpy().view(np.uint16) if x.dtype == torch.bfloat16 else x.numpy()


def _bitcast(typing: Any, bits: Any) -> Any:
    """The float32 of these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


_as_float: Any = intrinsic(_bitcast)


def _widened(x: Any) -> Any:
    """float32 of a float32, or of bfloat16's bits."""
    raise NotImplementedError


@overload(_widened, strict=False)
def _widened_compiled(x: Any) -> Any:
    if x == types.float32:
        return lambda x: x
    return lambda x: _as_float(np.uint32(x) << np.uint32(16))


@dense
def _exp(x):  # type: ignore[no-untyped-def]
    """e**x for x in [-80, 0], to float32's precision, in operations that vectorise."""
    y = x * np.float32(1.4426950408889634)
    n = np.floor(y + np.float32(0.5))
    f = (y - n) * np.float32(0.6931471805599453)  # in [-0.35, 0.35]
    p = np.float32(1 / 120) + f * (np.float32(1 / 720) + f * np.float32(1 / 5040))
    p = np.float32(1 / 2) + f * (np.float32(1 / 6) + f * (np.float32(1 / 24) + f * p))
    p = np.float32(1) + f * (np.float32(1) + f * p)
    return p * _as_float(np.uint32(np.int32(n) + np.int32(127)) << np.uint32(23))


@dense
def _decode(q, keys, values, start, used, out):  # type: ignore[no-untyped-def]
    heads, rows, D = q.shape
    group, padded = heads // len(keys), (used + LANES - 1) // LANES * LANES
    scores, total = np.empty(padded, np.float32), np.empty(D, np.float32)
    for h in range(heads):
        for b in range(rows):
            k, v, first = keys[h // group, b], values[h // group, b], start[b]
            for s in range(padded):
                scores[s] = np.float32(0)
            for d in range(0, D, FEATURES):  # scores = q k, four features at a time
                q0, q1, q2, q3 = q[h, b, d], q[h, b, d + 1], q[h, b, d + 2], q[h, b, d + 3]
                for s in range(padded):
                    one = q0 * _widened(k[d, s]) + q1 * _widened(k[d + 1, s])
                    scores[s] += one + (q2 * _widened(k[d + 2, s]) + q3 * _widened(k[d + 3, s]))
            top = scores[first]
            for s in range(first, used):
                top = max(top, scores[s])
            for s in range(padded):
                scores[s] = _exp(max(scores[s] - top, np.float32(-80)))
            weight = np.float32(0)
            for s in range(first, used):
                weight += scores[s]
            for d in range(D):
                total[d] = np.float32(0)
            s = first
            while s + 4 <= used:  # total = scores v, four columns at a time
                p0, p1, p2, p3 = scores[s], scores[s + 1], scores[s + 2], scores[s + 3]
                for d in range(D):
                    one = p0 * _widened(v[s, d]) + p1 * _widened(v[s + 1, d])
                    total[d] += one + (p2 * _widened(v[s + 2, d]) + p3 * _widened(v[s + 3, d]))
                s += 4
            while s < used:
                for d in range(D):
                    total[d] += scores[s] * _widened(v[s, d])
                s += 1
            for d in range(D):
                out[h, b, d] = total[d] / weight
