"""Strict and local validity of a best-first trace: replay it and name the first bad step.

Locally valid: each step is legal after those before it (a created state succeeds the state closed
last, with the right g and h, and is new or improved; a closed state is open, with its g and h).
Strictly valid, in addition: the closed state has least priority among the open ones (any tie-break),
every closed state's successors are all created, the goal is closed last, and the solution is the
path that the trace's parents give.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit
from tracelab.search.best_first.heap import pop, push
from tracelab.search.best_first.reasons import R
from tracelab.search.best_first.search import CLOSE, CLOSED, CREATE, OPEN, UNSEEN, improves, priority
from tracelab.search.best_first.space import (
    by_moves,
    capacity,
    follow,
    heuristic,
    is_goal,
    max_degree,
    names_created,
    neighbours,
    read_state,
    start,
)

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
def new_board(space, steps):  # type: ignore[no-untyped-def]
    """An empty board for a trace of so many steps."""
    status, marks = np.empty(capacity(space), np.uint8), np.empty((capacity(space), 5), np.int32)
    near = np.empty((2, max_degree(space)), np.int32)
    return Board(status, marks, np.empty(steps + 2, np.int64), np.empty(steps + 2, np.int32), near)


@kernel
def open_state(board, size, solver, state, parent, g, h, expansions):  # type: ignore[no-untyped-def]
    """Put a state on the open list -> its new size."""
    marks = board.marks
    depth = 0 if parent < 0 else marks[parent, DEPTH] + 1
    rank = priority(solver, g, h, depth, expansions)
    board.status[state], marks[state, PARENT] = OPEN, parent
    marks[state, G], marks[state, H], marks[state, DEPTH], marks[state, RANK] = g, h, depth, rank
    return push(board.keys, board.items, size, rank, state)


@kernel
def drop_stale(board, size):  # type: ignore[no-untyped-def]
    """Pop entries of states that were closed or re-created -> size; place 0 is then the least."""
    marks, keys, items = board.marks, board.keys, board.items
    while size > 0:
        state = items[0]
        if board.status[state] == OPEN and marks[state, RANK] == keys[0]:
            break
        size = pop(keys, items, size)
    return size


@kernel
def created(space, row, last):  # type: ignore[no-untyped-def]
    """The state that a creation's row names, or to which its move leads from the state closed last; or -1."""
    if names_created(space):
        return read_state(space, row, 1)
    return follow(space, last, row) if last >= 0 else -1


@kernel
def create_fault(space, strategy, board, row, last, degree):  # type: ignore[no-untyped-def]
    """Why a creation is illegal, or ok. board.near[0, :degree] succeed `last`."""
    state, g, h = created(space, row, last), row[-2], row[-1]
    if state < 0 and not names_created(space):
        return R.wrong_move if last >= 0 else R.nothing_closed
    if state < 0:
        return R.not_a_state
    if last < 0:
        if not strategy.create_start or state != start(space) or board.status[state] != UNSEEN:
            return R.nothing_closed
        right_g = 0
    else:
        k = 0
        while k < degree and board.near[0, k] != state:
            k += 1
        if k == degree:
            return R.not_a_successor
        if by_moves(space) and follow(space, last, row) != state:
            return R.wrong_move
        right_g = board.marks[last, G] + board.near[1, k]
    if g != right_g:
        return R.wrong_g
    if h != heuristic(space, state):
        return R.wrong_h
    if board.status[state] == CLOSED:
        return R.already_closed
    if not improves(strategy.solver, board.status[state], g, board.marks[state, G]):
        return R.no_improvement
    return R.ok


@kernel
def close_fault(space, board, row):  # type: ignore[no-untyped-def]
    """Why a row that creates nothing is illegal, or ok."""
    if row[0] != CLOSE:
        return R.syntax
    state = read_state(space, row, 1)
    if state < 0:
        return R.not_a_state
    if board.status[state] != OPEN:
        return R.not_open
    if board.marks[state, G] != row[-2] or board.marks[state, H] != row[-1]:
        return R.cost_mismatch
    return R.ok


@kernel
def count_required(strategy, board, last, degree):  # type: ignore[no-untyped-def]
    """How many of board.near[0, :degree] the expansion of `last` has to create."""
    required = 0
    for k in range(degree):
        successor = board.near[0, k]
        new_g = board.marks[last, G] + board.near[1, k]
        status, g = board.status[successor], board.marks[successor, G]
        required += improves(strategy.solver, status, new_g, g)
    return required


@kernel
def replay(space, strategy, rows, count, path, board, reason, at):  # type: ignore[no-untyped-def]
    """Replay rows[:count]; path holds the solution's states.

    board: of `new_board` for at least `count` steps, overwritten. Writes reason[0:2] and at[0:2] for
    the levels local and strict (ok and -1 where they pass).
    """
    reason[0] = reason[1] = R.ok
    at[0] = at[1] = -1
    board.status[:] = UNSEEN
    last, degree, pending, expansions, size, done = -1, 0, 0, 0, 0, False
    if not strategy.create_start:
        h = heuristic(space, start(space))
        size = open_state(board, size, strategy.solver, start(space), -1, 0, h, 0)
    for i in range(count):
        row = rows[i]
        creates = row[0] == CREATE
        fault = (
            create_fault(space, strategy, board, row, last, degree)
            if creates
            else close_fault(space, board, row)
        )
        if fault != R.ok:
            reason[0], at[0] = fault, i
            if reason[1] == R.ok:
                reason[1], at[1] = (R.after_goal if done else fault), i
            return
        state = created(space, row, last) if creates else read_state(space, row, 1)
        flaw = R.after_goal if done else R.ok
        if creates:
            size = open_state(board, size, strategy.solver, state, last, row[-2], row[-1], expansions)
            pending -= 1
        else:
            size = drop_stale(board, size)
            if flaw == R.ok and board.keys[0] < board.marks[state, RANK]:
                flaw = R.not_best
            if flaw == R.ok and pending > 0 and last >= 0:
                flaw = R.missing_successor
            board.status[state] = CLOSED
            last, expansions, done = state, expansions + 1, is_goal(space, state)
            degree = neighbours(space, state, board.near[0], board.near[1])
            pending = count_required(strategy, board, last, degree)
        if flaw != R.ok and reason[1] == R.ok:
            reason[1], at[1] = flaw, i
    if reason[1] == R.ok:
        flaw = R.ok if done else R.goal_not_closed
        if flaw == R.ok and not is_path(board.marks, last, path):
            flaw = R.solution_differs
        if flaw != R.ok:
            reason[1], at[1] = flaw, count


@kernel
def is_path(marks, state, path):  # type: ignore[no-untyped-def]
    """Do the parents lead from the last to the first state of `path`, and is `state` its last?"""
    for i in range(len(path) - 1, -1, -1):
        if path[i] != state or state < 0:
            return False
        state = marks[state, PARENT]
    return state < 0
