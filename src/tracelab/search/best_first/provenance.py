"""Where a right path behind a best-first trace comes from.

A trace gives a path whose start it closes, and of which it creates each further state while the one before
it on the path is that closed last. No search gives a path that meets a state twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.best_first.board import Board, G, H, new_board, open_start
from tracelab.search.best_first.judge import path_of
from tracelab.search.best_first.needed import ON_PATH, closed_state
from tracelab.search.best_first.reasons import R
from tracelab.search.best_first.replay import closed_by, created, local_fault
from tracelab.search.best_first.search import CLOSED, CREATE, OPEN, UNSEEN, Strategy
from tracelab.search.best_first.space import Space, capacity, neighbours, pose
from tracelab.search.completion import References, longest, references
from tracelab.search.provenance import kind_of

SAID, RIGHT = 1, 2  # bits of what leads to a state of the path: at its word, and rightly
WRONG, MADE = 4, 16  # bits of its creation, said wrongly and made rightly; its closing has the next ones


def provenance(
    space: Space, strategy: Strategy, examples: Examples, traces: Ragged, solutions: Ragged
) -> NDArray[np.uint8]:
    """What `core.types.Task` calls provenance. The space has room for what traces and solutions name."""
    found: NDArray[np.uint8] = _provenance(space, strategy, references(examples, traces, solutions))
    return found


@njit
def _provenance(space: Space, strategy: Strategy, given: References) -> NDArray[np.uint8]:
    problems, offsets, rows, ends, solutions, path_ends = given
    found = np.empty(len(ends) - 1, np.uint8)
    board, path = new_board(space, longest(ends)), np.empty(longest(path_ends) + 1, np.int32)
    places, bits = np.empty(capacity(space), np.int32), np.empty(len(path), np.uint8)
    for i in range(len(found)):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        length = path_of(space, solutions[path_ends[i] : path_ends[i + 1]], path)
        trace = rows[ends[i] : ends[i + 1]]
        found[i] = read_twice(space, strategy, trace, path[:length], board, places, bits[:length])
    return found


@kernel
def read_twice(
    space: Space,
    strategy: Strategy,
    trace: Integers,
    path: Integers,
    board: Board,
    places: Integers,
    bits: Integers,
) -> int:
    """The provenance of a path. places: by state, overwritten; bits: of each of the path's states, too."""
    places[:] = 0
    for k in range(len(path)):
        if path[k] >= 0:
            places[path[k]] = 2 * k + ON_PATH
    bits[:] = 0
    board.status[:] = UNSEEN
    open_start(space, strategy, board)
    last = said = -1  # closed last: rightly, and at its word
    wrong = undone = False
    degree = 0
    for r in range(len(trace)):
        row = trace[r]
        creates = row[0] == CREATE
        right = local_fault(space, strategy, board, row, last, degree) == R.ok
        state = created(space, row, said) if creates else closed_state(space, row, places)
        if state >= 0:
            mark(state, creates, said, path, places, bits, SAID, 0 if right else WRONG)
            said = said if creates else state
        wrong = wrong or not right
        if not right:
            continue
        state = created(space, row, last) if creates else closed_by(space, board, row)
        before = mark(state, creates, last, path, places, bits, RIGHT, MADE)
        made, spoilt = (MADE, WRONG) if creates else (2 * MADE, 2 * WRONG)
        undone = undone or (before & spoilt != 0 and before & made == 0)
        board.status[state] = OPEN if creates else CLOSED
        if creates:
            board.marks[state, G], board.marks[state, H] = row[-2], row[-1]
        else:
            last = state
            degree = neighbours(space, state, board.near[0], board.near[1])
    right, worded = len(path) > 0, len(path) > 0
    for k in range(len(path)):
        right, worded = right and bits[k] & RIGHT != 0, worded and bits[k] & SAID != 0
    return kind_of(right, worded, wrong, undone)


@kernel
def mark(
    state: int,
    creates: bool,
    last: int,
    path: Integers,
    places: Integers,
    bits: Integers,
    leads: int,
    done: int,
) -> int:
    """Mark what a step does for the path -> the bits of its state before, 0 for a state beside the path.

    leads: the bit to set where the step leads to the state from the one before it; done: that of a creation.
    """
    if not places[state] & ON_PATH:
        return 0
    k = places[state] // 2
    before = int(bits[k])
    leads_there = creates and last == path[k - 1] if k > 0 else not creates
    bits[k] |= (done if creates else 2 * done) | (leads if leads_there else 0)
    return before
