"""Other backtracking searches of the same problems: any variable that the rule allows is decided on, with any
value, and what follows at the same time is propagated in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import below
from tracelab.core.types import Examples
from tracelab.search.backtracking.problem import OPEN, Csp, follows, load
from tracelab.search.backtracking.search import (
    PROPAGATE,
    TIE_BREAKS,
    UNFINISHED,
    Stack,
    new_stack,
    search,
    step,
)
from tracelab.search.detours import Given
from tracelab.search.ties import limits_of

RANDOM = TIE_BREAKS.index("random")


def other_traces(csp: Csp, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
    """What `core.types.Task` calls alternatives."""
    return Ragged(*_other_traces(csp, Given.of(examples), limits_of(examples), keys))


@njit
def _other_traces(
    csp: Csp, given: Given, limits: NDArray[np.int64], keys: Words
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """-> (rows, where each trace ends); a search without an end within its limit has no rows."""
    n = len(limits)
    rows, ends = np.empty((limits.sum(), 3), np.int32), np.zeros(n + 1, np.int64)
    stack, random = new_stack(csp), np.empty(1, np.uint64)
    for i in range(n):
        problem, trace = given.problems[given.offsets[i] : given.offsets[i + 1]], rows[ends[i] :][: limits[i]]
        random[0] = keys[i]
        load(csp, problem)
        count, outcome = search(csp, RANDOM, random, stack, trace)
        load(csp, problem)
        reorder(csp, stack, trace[:count], random)
        ends[i + 1] = ends[i] + (0 if outcome == UNFINISHED else count)
    return rows[: ends[n]], ends


@kernel
def reorder(csp: Csp, stack: Stack, trace: Integers, random: Random) -> None:
    """Put each run of propagations in a random order in which each follows from what stands before it."""
    stack.sizes[:] = 0
    stop = 0
    for r in range(len(trace)):
        while stop < len(trace) and (stop < r or trace[stop, 0] == PROPAGATE):
            stop += 1
        if trace[r, 0] == PROPAGATE:
            swap(trace, r, any_ready(csp, trace, r, stop, random))
        step(csp, stack, trace[r])


@kernel
def any_ready(csp: Csp, trace: Integers, first: int, stop: int, random: Random) -> int:
    """A random one of the propagations trace[first:stop] that follow now."""
    ready = 0
    for r in range(first, stop):
        ready += is_ready(csp, trace[r])
    skip = below(random, ready) if ready > 0 else 0
    for r in range(first, stop):
        if is_ready(csp, trace[r]):
            if skip == 0:
                return r
            skip -= 1
    return first


@kernel
def is_ready(csp: Csp, row: Integers) -> bool:
    """Does a propagation's literal follow, of a variable that is open?"""
    return csp.assignment[row[1] // csp.values] == OPEN and follows(csp, row)


@kernel
def swap(trace: Integers, a: int, b: int) -> None:
    """Exchange two rows."""
    for c in range(trace.shape[1]):
        trace[a, c], trace[b, c] = trace[b, c], trace[a, c]
