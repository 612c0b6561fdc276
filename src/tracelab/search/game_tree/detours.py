"""Detours of a game-tree search: positions that were searched are searched once more.

The reference's steps stay, in their order. Behind a step that goes back stands, once more, the whole search
of the position that it comes from. What comes out is locally valid, for what was found does not change, and
what could be cut can be cut the more; strictly it is not, for a move is entered twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random, Words
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import below
from tracelab.core.types import Examples
from tracelab.search.completion import longest
from tracelab.search.detours import Given, Spliced, copy_steps, ragged_of
from tracelab.search.game_tree.judge import Searched
from tracelab.search.game_tree.search import ENTER

TRIES = 4  # draws of a position to search again, for each step that is wanted


def detours(
    searched: Searched, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
) -> tuple[Ragged, Ragged]:
    """What `core.types.Task` calls detours."""
    return ragged_of(_detours(Given.of(examples), wanted, keys))


@njit
def _detours(given: Given, wanted: NDArray[np.int64], keys: Words) -> Spliced:
    """-> (rows, where each trace ends, for each row whether it was added)"""
    n, steps = len(wanted), longest(given.ends)
    rows = np.empty((len(given.rows) + 2 * wanted.sum() + 1, given.rows.shape[1]), np.int32)
    added, ends = np.zeros(len(rows), np.bool_), np.zeros(n + 1, np.int64)
    opens, copies, stack = np.empty((3, steps + 1), np.int64)
    random = np.empty(1, np.uint64)
    for i in range(n):
        trace = given.rows[given.ends[i] : given.ends[i + 1]]
        random[0] = keys[i]
        find_opens(trace, stack, opens)
        share_out(trace, opens, wanted[i], random, copies)
        ends[i + 1] = ends[i] + wander(trace, opens, copies, rows[ends[i] :], added[ends[i] :])
    return rows[: ends[n]], ends, added[: ends[n]]


@kernel
def find_opens(trace: Integers, stack: Integers, opens: Integers) -> None:
    """Write for each step that goes back the one that came there; for others itself, for the last one -1."""
    depth = 0
    for r in range(len(trace)):
        if trace[r, 0] == ENTER:
            opens[r] = stack[depth] = r
            depth += 1
        else:
            depth -= 1
            opens[r] = stack[depth] if depth >= 0 else -1


@kernel
def share_out(trace: Integers, opens: Integers, wanted: int, random: Random, copies: Integers) -> None:
    """copies[r]: how often what step r comes back from is searched again, up to so many steps or one more."""
    for r in range(len(trace)):
        copies[r] = 0
    for _ in range(TRIES * wanted):
        r = below(random, len(trace))
        size = r + 1 - opens[r]
        if opens[r] >= 0 and 1 < size <= wanted + below(random, 2):
            copies[r] += 1
            wanted -= size


@kernel
def wander(trace: Integers, opens: Integers, copies: Integers, out: Integers, added: Flags) -> int:
    """Write a trace with its detours -> how many rows."""
    count = 0
    for r in range(len(trace)):
        count += copy_steps(trace[r : r + 1], out[count:], added[count:])
        for _ in range(copies[r]):
            more = copy_steps(trace[opens[r] : r + 1], out[count:], added[count:])
            added[count : count + more] = True
            count += more
    return count
