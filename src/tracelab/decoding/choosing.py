"""Which token comes next: numbers that every row draws for itself, on any device, and where they fall."""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # SplitMix64's


def uniform(keys: Tensor, number: Tensor) -> Tensor:
    """Numbers in [0, 1) of rows' SplitMix64 streams (`core.rng`), float32.

    keys: (B,) int64, the bits of 64-bit words; number: (B,) or () int64, which of its stream each row draws.
    """
    word = keys + (number + 1) * _signed(_GOLDEN)  # int64 wraps round as the words do
    word = (word ^ _shifted(word, 30)) * _signed(_FIRST)
    word = (word ^ _shifted(word, 27)) * _signed(_SECOND)
    return _shifted(word ^ _shifted(word, 31), 40).float() / 2**24


def choose(logits: Tensor, uniform: Tensor) -> Tensor:
    """(B, vocab_size), (B,) -> (B,): the tokens that the numbers fall on."""
    cumulative = logits.softmax(-1).cumsum(-1)
    place = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)[:, 0]
    return place.clamp(max=logits.shape[1] - 1)


def logprob(logits: Tensor, chosen: Tensor) -> Tensor:
    """(B, vocab_size), (B,) -> (B,)."""
    return logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(-1)


def _shifted(word: Tensor, bits: int) -> Tensor:
    """Logical right shift: zeros come in, where torch's own shift of an int64 would repeat its sign."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _signed(word: int) -> int:
    """The int64 of these 64 bits."""
    return word - (word >> 63 << 64)
