"""Controls: for each of some problems another one of the same complexity, or the nearest that there is.

rows = matched(wanted, pool, generator)     # pool[rows] is wanted, as far as the pool has it
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers


def lacking(wanted: NDArray[np.float64], pool: NDArray[np.float64]) -> int:
    """How many of the wanted values have no partner of the same value in the pool, where each is one's."""
    values, counts = np.unique(wanted, return_counts=True)
    known, there = np.unique(pool, return_counts=True)
    place = np.minimum(np.searchsorted(known, values), max(len(known) - 1, 0))
    had = np.where(known[place] == values, there[place], 0) if len(known) else np.zeros(len(values))
    return int(np.maximum(counts - had, 0).sum())


def matched(
    wanted: NDArray[np.float64], pool: NDArray[np.float64], generator: np.random.Generator
) -> Integers:
    """(n,) rows of the pool, none twice: of the wanted value, the first in the pool first; else the nearest.

    Who of those that want the same goes without is drawn, and so is who of them chooses first.
    """
    assert len(pool) >= len(wanted), "each is to have one"
    found = np.full(len(wanted), -1)
    order = generator.permutation(len(wanted))
    for value in np.unique(wanted):
        mine, theirs = order[wanted[order] == value], np.flatnonzero(pool == value)
        count = min(len(mine), len(theirs))
        found[mine[:count]] = theirs[:count]
    free = np.setdiff1d(np.arange(len(pool)), found)
    for row in order[found[order] < 0]:
        nearest = int(np.argmin(np.abs(pool[free] - wanted[row])))
        found[row], free = free[nearest], np.delete(free, nearest)
    return found
