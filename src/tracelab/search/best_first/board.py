"""The board of a replay: which states are open, with what costs, and the open list in order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit
from tracelab.search.best_first.heap import pop, push
from tracelab.search.best_first.search import OPEN, Strategy, priority
from tracelab.search.best_first.space import Space, capacity, heuristic, max_degree, start

PARENT, G, H, DEPTH, RANK = range(5)


class Board(NamedTuple):
    """What a replay knows.

    status: (capacity,) of each state, all that is cleared between replays; marks: (capacity, 5) parent, g, h,
    depth and rank of those that are not UNSEEN; keys, items: the open list's heap; near: (2, max_degree) the
    successors of the state closed last and their costs.
    """

    status: NDArray[np.uint8]
    marks: NDArray[np.int32]
    keys: NDArray[np.int64]
    items: NDArray[np.int32]
    near: NDArray[np.int32]


@njit
def new_board(space: Space, steps: int) -> Board:
    """An empty board for a trace of so many steps."""
    status, marks = np.empty(capacity(space), np.uint8), np.empty((capacity(space), 5), np.int32)
    near = np.empty((2, max_degree(space)), np.int32)
    return Board(status, marks, np.empty(steps + 2, np.int64), np.empty(steps + 2, np.int32), near)


@kernel
def open_state(
    board: Board, size: int, solver: int, state: int, parent: int, g: int, h: int, expansions: int
) -> int:
    """Put a state on the open list -> its new size."""
    marks = board.marks
    depth = 0 if parent < 0 else marks[parent, DEPTH] + 1
    rank = priority(solver, g, h, depth, expansions)
    board.status[state] = OPEN
    marks[state, PARENT] = parent
    marks[state, G], marks[state, H], marks[state, DEPTH], marks[state, RANK] = g, h, depth, rank
    return push(board.keys, board.items, size, rank, state)


@kernel
def open_start(space: Space, strategy: Strategy, board: Board) -> int:
    """Put the start on the empty open list, unless the trace is to create it -> its size."""
    if strategy.create_start:
        return 0
    return open_state(board, 0, strategy.solver, start(space), -1, 0, heuristic(space, start(space)), 0)


@kernel
def drop_stale(board: Board, size: int) -> int:
    """Pop entries of states that were closed or re-created -> size; place 0 is then the least."""
    marks, keys, items = board.marks, board.keys, board.items
    while size > 0:
        state = items[0]
        if board.status[state] == OPEN and marks[state, RANK] == keys[0]:
            break
        size = pop(keys, items, size)
    return size
