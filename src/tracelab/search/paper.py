"""The published validator's verdict on a trace, so that its numbers can be compared with ours.

The rules of Beyond Semantics (arXiv 2505.13775), more lenient than `replay`: g and h are taken as
written, not every successor need be created, steps may follow the goal, and of the path that the
parents give only the length must be the solution's.
"""

from __future__ import annotations

from tracelab.core.codec import decode_row
from tracelab.core.jit import kernel
from tracelab.search.best_first import CLOSED, CREATE, OPEN, UNSEEN
from tracelab.search.reasons import R
from tracelab.search.replay import G, H, PARENT, RANK, STATUS, drop_stale, open_state
from tracelab.search.space import heuristic, is_goal, neighbours, read_state, start


@kernel
def paper_rows(trace, solution, markers, tokens, kept, rows):  # type: ignore[no-untyped-def]
    """Parse as the published validator does: markers are dropped wherever they stand, then every
    token belongs to a step or a part of the plan, and the plan is what stands at the end.

    -> (steps, states in the plan, fault)
    """
    n = 0
    for token in tokens:
        if token not in markers:
            kept[n] = token
            n += 1
    plan = rows[len(rows) - 1]  # scratch: no trace has so many steps
    at, steps, states = 0, 0, 0
    while at < n:
        after = decode_row(trace, kept, at, n, rows[steps])
        if after >= 0 and states == 0:
            steps += 1
        elif after >= 0:  # a step after a part of the plan: that part was none
            return steps, 0, R.syntax
        else:
            after = decode_row(solution, kept, at, n, plan[: solution.width])
            if after < 0:
                return steps, states, R.syntax
            states += 1
        at = after
    return steps, states, (R.empty if states == 0 else R.ok)


@kernel
def paper_verdict(space, strategy, rows, count, states, board):  # type: ignore[no-untyped-def]
    """-> (reason, first bad step) of rows[:count] with a plan of so many states."""
    board.marks[:] = 0
    last, degree, expansions, size, goal = -1, 0, 0, 0, -1
    if not strategy.create_start:
        h = heuristic(space, start(space))
        size = open_state(board, size, strategy.solver, start(space), -1, 0, h, 0)
    for i in range(count):
        row = rows[i]
        state, g, h = read_state(space, row, 1), row[-2], row[-1]
        if state < 0:
            return R.not_a_state, i
        if row[0] == CREATE:
            fault = _create_fault(space, strategy, board, state, last, degree)
            if fault != R.ok:
                return fault, i
            if board.marks[state, STATUS] == UNSEEN or g < board.marks[state, G]:
                size = open_state(board, size, strategy.solver, state, last, g, h, expansions)
            continue
        if board.marks[state, STATUS] != OPEN:
            return R.not_open, i
        if board.marks[state, G] != g or board.marks[state, H] != h:
            return R.cost_mismatch, i
        size = drop_stale(board, size)
        if board.keys[0] < board.marks[state, RANK]:
            return R.not_best, i
        board.marks[state, STATUS] = CLOSED
        last, expansions = state, expansions + 1
        degree = neighbours(space, state, board.near[0], board.near[1])
        if is_goal(space, state):
            goal = state
    if goal < 0:
        return R.goal_not_closed, count
    length = 0
    while goal >= 0:
        length, goal = length + 1, board.marks[goal, PARENT]
    return (R.ok, -1) if length == states else (R.solution_differs, count)


@kernel
def _create_fault(space, strategy, board, state, last, degree):  # type: ignore[no-untyped-def]
    """Why the published rules forbid a creation, or ok."""
    if last < 0:
        first = strategy.create_start and state == start(space) and board.marks[state, STATUS] == UNSEEN
        return R.ok if first else R.nothing_closed
    k = 0
    while k < degree and board.near[0, k] != state:
        k += 1
    if k == degree:
        return R.not_a_successor
    return R.already_closed if board.marks[state, STATUS] == CLOSED else R.ok
