"""Strict and local validity of a best-first trace: replay it and name the first bad step.

Locally valid: each step is legal after those before it (a created state succeeds the state closed
last, with the right g and h, and is new or improved; a closed state is open, with its g and h).
Strictly valid, in addition: the closed state has least priority among the open ones (any tie-break),
every closed state's successors are all created, the goal is closed last, and the solution is the
path that the trace's parents give.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel
from tracelab.search.best_first.board import PARENT, RANK, Board, G, H, drop_stale, open_start, open_state
from tracelab.search.best_first.reasons import R
from tracelab.search.best_first.search import CLOSE, CLOSED, CREATE, OPEN, UNSEEN, Strategy, improves
from tracelab.search.best_first.space import (
    Space,
    by_moves,
    follow,
    heuristic,
    is_goal,
    names_created,
    neighbours,
    read_other,
    read_state,
    start,
)


@kernel
def created(space: Space, row: Integers, last: int) -> int:
    """The state that a creation's row names, or to which its move leads from the state closed last; or -1."""
    if names_created(space) or last < 0:
        return read_state(space, row, 1)
    return follow(space, last, row)


@kernel
def closed_by(space: Space, board: Board, row: Integers) -> int:
    """The state that a closing names; where there is a choice, the first that is open at its costs; or -1.

    Another may be open at these costs, too: what follows is not asked which was meant (docs/verdicts.md).
    """
    first = state = read_state(space, row, 1)
    k = 0
    while state >= 0:
        opened = board.status[state] == OPEN
        if opened and board.marks[state, G] == row[-2] and board.marks[state, H] == row[-1]:
            return state
        state = read_other(space, row, k)
        k += 1
    return first


@kernel
def local_fault(space: Space, strategy: Strategy, board: Board, row: Integers, last: int, degree: int) -> int:
    """Why a step is illegal, or ok. board.near[0, :degree] succeed `last`."""
    if row[0] == CREATE:
        return create_fault(space, strategy, board, row, last, degree)
    return close_fault(space, board, row)


@kernel
def create_fault(
    space: Space, strategy: Strategy, board: Board, row: Integers, last: int, degree: int
) -> int:
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
    if improves(strategy, board.status[state], g, board.marks[state, G]):
        return R.ok
    return R.already_closed if board.status[state] == CLOSED else R.no_improvement


@kernel
def close_fault(space: Space, board: Board, row: Integers) -> int:
    """Why a row that creates nothing is illegal, or ok."""
    if row[0] != CLOSE:
        return R.syntax
    state = closed_by(space, board, row)
    if state < 0:
        return R.not_a_state
    if board.status[state] != OPEN:
        return R.not_open
    if board.marks[state, G] != row[-2] or board.marks[state, H] != row[-1]:
        return R.cost_mismatch
    return R.ok


@kernel
def close_flaw(board: Board, state: int, last: int, pending: int) -> int:
    """Why a legal closing is none of this search's, or ok. pending: what `last` has yet to create."""
    if board.keys[0] < board.marks[state, RANK]:
        return R.not_best
    return R.missing_successor if pending > 0 and last >= 0 else R.ok


@kernel
def count_required(strategy: Strategy, board: Board, last: int, degree: int) -> int:
    """How many of board.near[0, :degree] the expansion of `last` has to create."""
    required = 0
    for k in range(degree):
        successor = board.near[0, k]
        new_g = board.marks[last, G] + board.near[1, k]
        status, g = board.status[successor], board.marks[successor, G]
        required += improves(strategy, status, new_g, g)
    return required


@kernel
def replay(
    space: Space,
    strategy: Strategy,
    rows: Integers,
    count: int,
    path: Integers,
    board: Board,
    reason: Integers,
    at: Integers,
) -> None:
    """Replay rows[:count]; path holds the solution's states.

    board: of `new_board` for at least `count` steps, overwritten. Writes reason[0:2] and at[0:2] for
    the levels local and strict (ok and -1 where they pass).
    """
    reason[0] = reason[1] = R.ok
    at[0] = at[1] = -1
    board.status[:] = UNSEEN
    last, done = -1, False
    degree = pending = expansions = 0
    size = open_start(space, strategy, board)
    for i in range(count):
        row = rows[i]
        creates = row[0] == CREATE
        fault = local_fault(space, strategy, board, row, last, degree)
        if fault != R.ok:
            reason[0], at[0] = fault, i
            if reason[1] == R.ok:
                reason[1], at[1] = (R.after_goal if done else fault), i
            return
        state = created(space, row, last) if creates else closed_by(space, board, row)
        flaw = R.after_goal if done else R.ok
        if creates:
            size = open_state(board, size, strategy.solver, state, last, row[-2], row[-1], expansions)
            pending -= 1
        else:
            size = drop_stale(board, size)
            if flaw == R.ok:
                flaw = close_flaw(board, state, last, pending)
            board.status[state] = CLOSED
            last, done = state, is_goal(space, state)
            expansions += 1
            degree = neighbours(space, state, board.near[0], board.near[1])
            pending = count_required(strategy, board, last, degree)
        if flaw != R.ok and reason[1] == R.ok:
            reason[1], at[1] = flaw, i
    if reason[1] == R.ok:
        flaw = end_flaw(board, last, done, path)
        if flaw != R.ok:
            reason[1], at[1] = flaw, count


@kernel
def end_flaw(board: Board, last: int, done: bool, path: Integers) -> int:
    """Why a trace of legal steps does not end as the search does, or ok."""
    if not done:
        return R.goal_not_closed
    return R.ok if is_path(board.marks, last, path) else R.solution_differs


@kernel
def is_path(marks: Integers, state: int, path: Integers) -> bool:
    """Do the parents lead from the last to the first state of `path`, and is `state` its last?"""
    for i in range(len(path) - 1, -1, -1):
        if path[i] != state or state < 0:
            return False
        state = marks[state, PARENT]
    return state < 0
