"""Which steps of a best-first trace the solution needs: a creation and a closing of each state on its path.

Any rows do, legal or not. The answer is settled where a goal first appears.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.best_first.judge import path_of
from tracelab.search.best_first.replay import created
from tracelab.search.best_first.search import CREATE
from tracelab.search.best_first.space import Space, capacity, is_goal, pose, read_other, read_state
from tracelab.search.completion import References, longest, references

ON_PATH, WAS_CREATED, WAS_CLOSED = 1, 2, 4  # bits


def needed(space: Space, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
    """What `core.types.Task` calls needed. The space has room for what traces and solutions name."""
    flags, settled = _needed(space, references(examples, traces, solutions))
    return Ragged(flags, traces.offsets), settled


@njit
def _needed(space: Space, given: References) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    problems, offsets, rows, ends, solutions, path_ends = given
    flags, settled = np.zeros(len(rows), np.bool_), np.full(len(ends) - 1, -1)
    marks, path = np.zeros(capacity(space), np.uint8), np.empty(longest(path_ends) + 1, np.int32)
    for i in range(len(settled)):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        length = path_of(space, solutions[path_ends[i] : path_ends[i + 1]], path)
        marks[:] = 0
        for state in path[:length]:
            if state >= 0:
                marks[state] = ON_PATH
        settled[i] = mark_steps(space, rows[ends[i] : ends[i + 1]], marks, flags[ends[i] : ends[i + 1]])
    return flags, settled


@kernel
def mark_steps(space: Space, trace: Integers, marks: Integers, flags: Flags) -> int:
    """Mark the steps that are needed -> how many there are until one names a goal, or -1."""
    last = settled = -1
    for r in range(len(trace)):
        creates = trace[r, 0] == CREATE
        state = created(space, trace[r], last) if creates else closed_state(space, trace[r], marks)
        if state < 0:
            continue
        was = WAS_CREATED if creates else WAS_CLOSED
        flags[r] = marks[state] & ON_PATH and not marks[state] & was
        marks[state] |= was
        last = last if creates else state
        if settled < 0 and is_goal(space, state):
            settled = r + 1
    return settled


@kernel
def closed_state(space: Space, row: Integers, marks: Integers) -> int:
    """The state that a closing names; where there is a choice, one on the path."""
    first = state = read_state(space, row, 1)
    k = 0
    while state >= 0:
        if marks[state] & ON_PATH:
            return state
        state = read_other(space, row, k)
        k += 1
    return first
