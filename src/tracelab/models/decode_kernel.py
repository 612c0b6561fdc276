"""The kernel of one new token per row: norms, rotation, storing and attention over a cache.

Keys lie feature by feature, values column by column, so that all inner loops run along memory; bfloat16 is
read as it is and widened in registers. `models.decode` calls it with tensors.

All of it stays in one file: a change to a kernel elsewhere would not be seen by numba's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import dense

LANES = 16  # columns are padded to a multiple: whole vectors of float32
FEATURES = 4  # D is a multiple
Floats = NDArray[np.float32]
Stored = Floats | NDArray[np.uint16]  # bfloat16 as its bits


def _bitcast(typing: Any, bits: Any) -> Any:
    """The float32 of these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


def _bitcast_back(typing: Any, number: Any) -> Any:
    """The 32 bits of this float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), generate


_as_float: Any = intrinsic(_bitcast)
_as_bits: Any = intrinsic(_bitcast_back)


def _widened(x: Any) -> Any:
    """float32 of a float32, or of bfloat16's bits."""
    raise NotImplementedError


@overload(_widened, strict=False)
def _widened_compiled(x: Any) -> Any:
    if x == types.float32:
        return lambda x: x
    return lambda x: _as_float(np.uint32(x) << np.uint32(16))


def _narrowed(x: Any, like: Any) -> Any:
    """A float32 as an element of `like`: itself, or bits of the nearest bfloat16 (ties to even)."""
    raise NotImplementedError


@overload(_narrowed, strict=False)
def _narrowed_compiled(x: Any, like: Any) -> Any:
    if like.dtype == types.float32:
        return lambda x, like: x

    def rounded(x: Any, like: Any) -> Any:
        bits = _as_bits(x)
        return np.uint16(
            (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        )

    return rounded


@dense
def _exp(x: np.float32) -> np.float32:
    """e**x for x in [-80, 0], to float32's precision, in operations that vectorise."""
    y = x * np.float32(1.4426950408889634)
    n = np.floor(y + np.float32(0.5))
    f = (y - n) * np.float32(0.6931471805599453)  # in [-0.35, 0.35]
    p = np.float32(1 / 120) + f * (np.float32(1 / 720) + f * np.float32(1 / 5040))
    p = np.float32(1 / 2) + f * (np.float32(1 / 6) + f * (np.float32(1 / 24) + f * p))
    p = np.float32(1) + f * (np.float32(1) + f * p)
    return p * _as_float(np.uint32(np.int32(n) + np.int32(127)) << np.uint32(23))


@dense
def _score(q: Floats, k: Stored, scores: Floats) -> None:
    """Write q k to the scores, four features at a time."""
    for s in range(len(scores)):
        scores[s] = np.float32(0)
    for d in range(0, len(q), FEATURES):
        q0, q1, q2, q3 = q[d], q[d + 1], q[d + 2], q[d + 3]
        for s in range(len(scores)):
            one = q0 * _widened(k[d, s]) + q1 * _widened(k[d + 1, s])
            scores[s] += one + (q2 * _widened(k[d + 2, s]) + q3 * _widened(k[d + 3, s]))


@dense
def _add(scores: Floats, v: Stored, total: Floats) -> None:
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
def _turn(x: Stored, gain: Floats, eps: np.float32, cos: Stored, sin: Stored, out: Floats) -> None:
    """Write x / rms(x) * gain (no gain: x), rotated; out: (D,) float32."""
    D, scale = len(x), np.float32(1)
    if len(gain):
        squares = np.float32(0)
        for d in range(D):
            squares += _widened(x[d]) * _widened(x[d])
        scale = np.float32(1) / np.sqrt(squares / np.float32(D) + eps)
    half = D // 2
    for d in range(half):
        a, b = _widened(x[d]) * scale, _widened(x[d + half]) * scale
        if len(gain):
            a, b = a * gain[d], b * gain[d + half]
        out[d] = a * _widened(cos[d]) + b * _widened(sin[d])
        out[d + half] = b * _widened(cos[d + half]) + a * _widened(sin[d + half])


@dense
def _attend(
    q: Floats,
    k: Stored,
    v: Stored,
    first: int,
    own: int,
    shared_k: Stored,
    shared_v: Stored,
    start: int,
    read: int,
    scores: Floats,
    total: Floats,
) -> None:
    """Write softmax(q k) v over shared columns start..read-1 and own columns first..own-1 to the total."""
    before = (read + LANES - 1) // LANES * LANES  # the scores of a row's own columns come behind these
    padded = before + (own + LANES - 1) // LANES * LANES
    if read:
        _score(q, shared_k, scores[:before])
    _score(q, k, scores[before:padded])
    top = scores[before + first]
    for s in range(before + first, before + own):
        top = max(top, scores[s])
    for s in range(start, read):
        top = max(top, scores[s])
    for s in range(padded):
        scores[s] = _exp(max(scores[s] - top, np.float32(-80)))
    weight = np.float32(0)
    for s in range(before + first, before + own):
        weight += scores[s]
    for s in range(start, read):
        weight += scores[s]
    for d in range(len(total)):
        total[d] = np.float32(0)
    if read:
        _add(scores[start:read], shared_v[start:], total)
    _add(scores[before + first : before + own], v[first:], total)
    for d in range(len(total)):
        total[d] /= weight


@dense
def step(
    qkv: Stored,
    gains: Floats,
    eps: np.float32,
    cos: Stored,
    sin: Stored,
    keys: Stored,
    values: Stored,
    own: int,
    shared_keys: Stored,
    shared_values: Stored,
    read: int,
    parents: Integers,
    start: Integers,
    out: Stored,
) -> None:
    """Norm and rotate, store, attend, of all rows; `models.decode.decode` says what is what.

    keys, values, own: columns of each row and how many are used; the last is written. shared_keys,
    shared_values, read: the columns before them, of the row that `parents` names. out: (B, heads, D).
    """
    rows, _, D = qkv.shape
    heads, kv_heads = out.shape[1], len(keys)
    scores = np.empty(read + own + 2 * LANES, np.float32)
    turned, total = np.empty(D, np.float32), np.empty(D, np.float32)
    none, root = np.empty(0, np.float32), np.float32(1) / np.sqrt(np.float32(D))
    for g in range(kv_heads):
        for b in range(rows):
            gain = gains[heads + g] if len(gains) else none
            _turn(qkv[b, heads + g], gain, eps, cos[b], sin[b], turned)
            for d in range(D):
                keys[g, b, d, own - 1] = _narrowed(turned[d], keys)
                values[g, b, own - 1, d] = qkv[b, heads + kv_heads + g, d]
            row = parents[b] if read else 0
            for h in range(heads // kv_heads * g, heads // kv_heads * (g + 1)):
                _turn(qkv[b, h], gains[h] if len(gains) else none, eps, cos[b], sin[b], turned)
                for d in range(D):
                    turned[d] *= root
                first = 0 if read else start[b]
                shared_k, shared_v = shared_keys[g, row], shared_values[g, row]
                _attend(
                    turned,
                    keys[g, b],
                    values[g, b],
                    first,
                    own,
                    shared_k,
                    shared_v,
                    start[b],
                    read,
                    scores,
                    total,
                )
                for d in range(D):
                    out[b, h, d] = _narrowed(total[d], out)
