"""Named randomness: every random number is addressed by (seed, split, index, purpose).

A root per (seed, split, purpose) comes from NumPy's SeedSequence; item `index` of that root is
word `index` of a Philox counter stream, so that any worker can draw any item without drawing those
before it, and two seeds or splits never share items (as they do under `seed + index`).

    keys = rng.keys(seed=0, split="train", start=0, stop=4096, purpose="problem")   # compiled code
    generator = rng.rng(seed=0, split="train", index=7, purpose="treatment")        # NumPy code
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, int64
from tracelab.core.jit import kernel, wrapping

_WORDS = 4  # 64-bit words that Philox4x64 gives per counter


def keys(seed: int, split: str, start: int, stop: int, purpose: str) -> NDArray[np.uint64]:
    """The 64-bit keys of items start..stop-1 of a named stream, shape (stop - start,)."""
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    name = (zlib.crc32(split.encode()), zlib.crc32(purpose.encode()))
    root = np.random.SeedSequence(seed, spawn_key=name).generate_state(2, np.uint64)
    first = start // _WORDS
    philox = np.random.Philox(key=root, counter=[first, 0, 0, 0])
    words: NDArray[np.uint64] = philox.random_raw(stop - first * _WORDS)
    return words[start - first * _WORDS :]


def rng(seed: int, split: str, index: int, purpose: str) -> np.random.Generator:
    """A NumPy generator for one item of a named stream."""
    (key,) = keys(seed, split, index, index + 1, purpose)
    return np.random.Generator(np.random.PCG64(int(key)))


@kernel
@wrapping
def next64(state: Random) -> np.uint64:
    """SplitMix64 (Steele, Lea and Flood 2014): the next word; `state` is a uint64 array of one."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return mix64(state[0])


@kernel
@wrapping
def mix64(word: np.uint64) -> np.uint64:
    """SplitMix64's finaliser: a bijection of 64-bit words, also used as a hash."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel
def below(state: Random, n: int) -> int:
    """A uniform integer in [0, n), n < 2**31; bias under n / 2**32 (Lemire's multiply-shift)."""
    return int64(((next64(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@kernel
def uniform(state: Random) -> float:
    """A uniform float in [0, 1)."""
    return np.float64(next64(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def shuffle(state: Random, values: Integers) -> None:
    """Fisher-Yates, in place, along the first axis of a 1-d array."""
    for i in range(len(values) - 1, 0, -1):
        j = below(state, i + 1)
        values[i], values[j] = values[j], values[i]
