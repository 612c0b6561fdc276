"""The published validator's verdict on a trace, so that its numbers can be compared with ours.

The rules of Beyond Semantics (arXiv 2505.13775), more lenient than `replay`: g and h are taken as
written, not every successor need be created, steps may follow the goal, and of the path that the
parents give only the length must be the solution's. A plan that does not parse, or none, is the
plan's fault: no length is compared, and the trace may be valid.

Of two public versions these are the later one's rules (docs/compatibility.md lists where the earlier one
differs). Two things differ from both: a completion without the stop word is never valid here, and a cost
must be a word of costs (the published parser drops the first character unseen, and reads `17` as 7).
"""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.codec import EOS, SPECIALS, Markers
from tracelab.core.formats import Table, decode_row, op_begun, width_of
from tracelab.core.jit import kernel
from tracelab.search.best_first.board import PARENT, RANK, Board, G, H, drop_stale, open_start, open_state
from tracelab.search.best_first.reasons import R
from tracelab.search.best_first.search import CLOSED, CREATE, OPEN, UNSEEN, Strategy
from tracelab.search.best_first.space import Space, is_goal, neighbours, read_state, start

_EOS = SPECIALS.index(EOS)


@kernel
def paper_rows(
    trace: Table, solution: Table, markers: Markers, tokens: Integers, kept: Integers, rows: Integers
) -> tuple[int, int, int]:
    """Parse as the published validator does: the solution's opening word is dropped wherever it
    stands, then every token belongs to a step or a part of the plan, and the plan is what stands at
    the end; parts before a step count for nothing.

    -> (steps, states in the plan or -1 where it does not parse, fault)
    """
    trace_open, solution_open, _ = markers
    n = 0
    for i in range(len(tokens)):
        opens = (i == 0 and tokens[i] == trace_open) or tokens[i] == solution_open
        if tokens[i] < 0 or not opens:  # a marker of -1 is none
            kept[n] = tokens[i]
            n += 1
    row = rows[len(rows) - 1, : solution.width]  # scratch: no trace has so many steps
    at = steps = states = unread = 0
    cut = False
    while at < n:
        if op_begun(trace, kept[at]) >= 0:
            at = decode_row(trace, kept, at, n, rows[steps])
            if at < 0:
                return steps, 0, R.syntax
            steps += 1
            states = unread = 0
        elif op_begun(solution, kept[at]) >= 0:
            ends = min(n, at + width_of(solution, op_begun(solution, kept[at])))
            place = at + 1
            while place < ends and op_begun(trace, kept[place]) < 0:
                if kept[place] == _EOS:
                    return steps, 0, R.syntax
                place += 1
            if place < ends:  # a step begins within the part
                cut = True
            else:
                states += 1
                unread += decode_row(solution, kept, at, n, row) < 0
            at = place
        else:
            return steps, 0, R.syntax
    return steps, (-1 if cut or unread > 0 or states == 0 else states), R.ok


@kernel
def paper_verdict(
    space: Space, strategy: Strategy, rows: Integers, count: int, states: int, board: Board
) -> tuple[int, int]:
    """-> (reason, first bad step) of rows[:count] with a plan of so many states (-1: of none)."""
    board.status[:] = UNSEEN
    last = goal = -1
    degree = expansions = 0
    size = open_start(space, strategy, board)
    for i in range(count):
        row = rows[i]
        state, g, h = read_state(space, row, 1), row[-2], row[-1]
        if state < 0:
            return R.not_a_state, i
        if row[0] == CREATE:
            fault = _create_fault(space, strategy, board, state, last, degree)
            if fault != R.ok:
                return fault, i
            if board.status[state] == UNSEEN or g < board.marks[state, G]:
                size = open_state(board, size, strategy.solver, state, last, g, h, expansions)
            continue
        if board.status[state] != OPEN:
            return R.not_open, i
        if board.marks[state, G] != g or board.marks[state, H] != h:
            return R.cost_mismatch, i
        size = drop_stale(board, size)
        if board.keys[0] < board.marks[state, RANK]:
            return R.not_best, i
        board.status[state] = CLOSED
        last, expansions = state, expansions + 1
        degree = neighbours(space, state, board.near[0], board.near[1])
        if is_goal(space, state):
            goal = state
    if goal < 0:
        return R.goal_not_closed, count
    length = 0
    while goal >= 0:
        length, goal = length + 1, board.marks[goal, PARENT]
    return (R.ok, -1) if states < 0 or length == states else (R.solution_differs, count)


@kernel
def _create_fault(space: Space, strategy: Strategy, board: Board, state: int, last: int, degree: int) -> int:
    """Why the published rules forbid a creation, or ok."""
    if last < 0:
        first = strategy.create_start and state == start(space) and board.status[state] == UNSEEN
        return R.ok if first else R.nothing_closed
    k = 0
    while k < degree and board.near[0, k] != state:
        k += 1
    if k == degree:
        return R.not_a_successor
    return R.already_closed if board.status[state] == CLOSED else R.ok
