"""How much of the reference's traces a treatment leaves standing, word for word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged


def verbatim(reference: Ragged, treated: Ragged) -> float:
    """The share of the reference's steps that still stand somewhere in the treated trace, word for word.

    Each of the treated trace's steps stands for one of the reference's (multisets); places do not matter.
    """
    known, left = (np.unique(_numbers(rows), return_counts=True) for rows in (reference, treated))
    _, ours, theirs = np.intersect1d(known[0], left[0], assume_unique=True, return_indices=True)
    return float(np.minimum(known[1][ours], left[1][theirs]).sum() / max(len(reference.values), 1))


def _numbers(rows: Ragged) -> NDArray[np.uint64]:
    """One number for each step, the same for steps of the same words of the same trace."""
    numbers = _mixed(np.repeat(np.arange(1, len(rows) + 1, dtype=np.uint64), rows.lengths))
    for column in rows.values.T:
        numbers = _mixed(numbers ^ column.astype(np.uint64))
    return numbers


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers whose every bit hangs on all bits (the finaliser of splitmix64)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
