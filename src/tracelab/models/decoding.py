"""Attention of one new token per row over a cache, compiled for CPUs.

torch's products of a matrix with a single row are bound by calls and, in bfloat16, by conversions; here what
bounds is reading the cache. Keys lie feature by feature, values column by column, so that all inner loops run
along memory; bfloat16 is read as it is and widened in registers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from torch import Tensor

from tracelab.core.jit import dense

LANES = 16  # columns are padded to a multiple: whole vectors of float32
FEATURES = 4  # D is a multiple


class Columns(NamedTuple):
    """keys: (kv_heads, B, D, room), values: (kv_heads, B, room, D), both float32 or both bfloat16; used: how
    many columns. D is a multiple of FEATURES, room one of LANES.
    """

    keys: Tensor
    values: Tensor
    used: int


def decode(
    q: Tensor, own: Columns, start: Tensor, shared: Columns | None = None, parents: Tensor | None = None
) -> Tensor:
    """softmax(q k / √D) v over the columns of each row, the first of which may be shared.

    q: (heads, B, 1, D), any float type; start: (B,) the first column that is looked at; shared: columns that
    come before the rows' own, of P rows; parents: (B,) whose each row has. -> like q, without gradient.
    """
    heads, rows, _, D = q.shape
    scaled = (q[:, :, 0].float() * D**-0.5).contiguous()
    out = torch.empty(heads, rows, D)
    mine = _bits(own.keys), _bits(own.values), own.used
    if shared is None or parents is None:
        _decode(scaled.numpy(), *mine, *mine[:2], 0, start.numpy(), start.numpy(), out.numpy())
    else:
        theirs = _bits(shared.keys), _bits(shared.values), shared.used
        _decode(scaled.numpy(), *mine, *theirs, parents.numpy(), start.numpy(), out.numpy())
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
def _score(q, k, scores):  # type: ignore[no-untyped-def]
    """Write q k to the scores, four features at a time."""
    for s in range(len(scores)):
        scores[s] = np.float32(0)
    for d in range(0, len(q), FEATURES):
        q0, q1, q2, q3 = q[d], q[d + 1], q[d + 2], q[d + 3]
        for s in range(len(scores)):
            one = q0 * _widened(k[d, s]) + q1 * _widened(k[d + 1, s])
            scores[s] += one + (q2 * _widened(k[d + 2, s]) + q3 * _widened(k[d + 3, s]))


@dense
def _add(scores, v, total):  # type: ignore[no-untyped-def]
    """Add scores v to the total, four columns at a time."""
    s = 0
    while s + 4 <= len(scores):
        p0, p1, p2, p3 = scores[s], scores[s + 1], scores[s + 2], scores[s + 3]
        for d in range(len(total)):
            one = p0 * _widened(v[s, d]) + p1 * _widened(v[s + 1, d])
            total[d] += one + (p2 * _widened(v[s + 2, d]) + p3 * _widened(v[s + 3, d]))
        s += 4
    while s < len(scores):
        for d in range(len(total)):
            total[d] += scores[s] * _widened(v[s, d])
        s += 1


@dense
def _decode(q, keys, values, own, shared_keys, shared_values, read, parents, start, out):  # type: ignore[no-untyped-def]
    heads, rows, D = q.shape
    group = heads // len(keys)
    before = (read + LANES - 1) // LANES * LANES  # the scores of a row's own columns come behind these
    padded = before + (own + LANES - 1) // LANES * LANES
    scores, total = np.empty(padded, np.float32), np.empty(D, np.float32)
    for h in range(heads):
        for b in range(rows):
            row, g = q[h, b], h // group
            first = 0 if read else start[b]
            if read:
                _score(row, shared_keys[g, parents[b]], scores[:before])
            _score(row, keys[g, b], scores[before:])
            top = scores[before + first]
            for s in range(before + first, before + own):
                top = max(top, scores[s])
            for s in range(start[b], read):
                top = max(top, scores[s])
            for s in range(padded):
                scores[s] = _exp(max(scores[s] - top, np.float32(-80)))
            weight = np.float32(0)
            for s in range(before + first, before + own):
                weight += scores[s]
            for s in range(start[b], read):
                weight += scores[s]
            for d in range(D):
                total[d] = np.float32(0)
            if read:
                _add(scores[start[b] : read], shared_values[g, parents[b], start[b] :], total)
            _add(scores[before + first : before + own], values[g, b, first:], total)
            for d in range(D):
                out[h, b, d] = total[d] / weight
