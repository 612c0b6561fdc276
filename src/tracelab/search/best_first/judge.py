"""Verdicts on the solution and the trace in a model's tokens, for every task on the best-first grammar.

Any token sequence in, a verdict out, in near-linear time. Solution and trace are read apart: a
broken trace does not spoil the solution's verdict. Truncated completions (no stop token) pass nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import Markers
from tracelab.core.formats import Table, decode_row
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first.board import Board, new_board
from tracelab.search.best_first.paper import paper_rows, paper_verdict
from tracelab.search.best_first.reasons import R
from tracelab.search.best_first.replay import replay
from tracelab.search.best_first.search import Strategy
from tracelab.search.best_first.space import (
    Space,
    by_moves,
    follow,
    is_goal,
    names_start,
    neighbours,
    read_state,
    start,
)
from tracelab.search.completion import find, set_levels, split_completion

LEVELS = ("parses", "local", "strict", "paper")


class Room(NamedTuple):
    """Scratch arrays for judging completions of up to a number of tokens."""

    rows: NDArray[np.int32]
    path: NDArray[np.int32]
    board: Board


@njit
def new_room(space: Space, trace: Table, tokens: int) -> Room:
    """Room for completions of up to so many tokens."""
    rows = np.empty((tokens + 2, trace.width), np.int32)
    return Room(rows, np.empty(tokens + 2, np.int32), new_board(space, tokens))


@kernel
def read_path(
    space: Space, solution: Table, tokens: Integers, begins: int, row: Integers, path: Integers
) -> tuple[int, int]:
    """Read the solution's states (-1 for none) into `path`. -> (how many, fault).

    A solution that does not parse to its end is none: it has no states.
    """
    at, length = begins, 0
    while at < len(tokens):
        at = decode_row(solution, tokens, at, len(tokens), row)
        if at < 0:
            return 0, R.syntax
        length = add_to_path(space, row, path, length)
    return length, R.ok if length > 0 else R.empty


@kernel
def add_to_path(space: Space, row: Integers, path: Integers, length: int) -> int:
    """Append what a solution's row names to a path of states -> its length."""
    if not by_moves(space):
        path[length] = read_state(space, row, 1)
        return length + 1
    if length == 0 and names_start(space):
        path[0] = follow(space, -1, row)
        return 1
    if length == 0:
        path[0], length = start(space), 1
    path[length] = follow(space, path[length - 1], row) if path[length - 1] >= 0 else -1
    return length + 1


@kernel
def path_of(space: Space, solution: Integers, path: Integers) -> int:
    """Write the states that a solution's rows name (-1 for none) into `path` -> how many."""
    length = 0
    for k in range(len(solution)):
        length = add_to_path(space, solution[k], path, length)
    return length


@kernel
def path_fault(space: Space, path: Integers, near: Integers) -> tuple[int, int]:
    """Why a path does not solve the problem, or ok; and its cost."""
    states, costs = near[0], near[1]
    if path[0] != start(space):
        return (R.not_a_state if path[0] < 0 and not by_moves(space) else R.wrong_start), 0
    total = 0
    for i in range(1, len(path)):
        if path[i] < 0:
            return R.illegal_move if by_moves(space) else R.not_a_state, 0
        degree = neighbours(space, path[i - 1], states, costs)
        k = 0
        while k < degree and states[k] != path[i]:
            k += 1
        if k == degree:
            return R.illegal_move, 0
        total += costs[k]
    return (R.ok if is_goal(space, path[-1]) else R.goal_not_reached), total


@kernel
def judge_one(
    space: Space,
    strategy: Strategy,
    trace: Table,
    solution: Table,
    markers: Markers,
    tokens: Integers,
    room: Room,
    reason: Integers,
    at: Integers,
) -> tuple[int, int, int]:
    """Judge one completion; writes reason and at, one per level: as many of LEVELS as they have places.

    -> (steps that parsed, reason of the solution, its cost)
    """
    rows, path, board = room.rows, room.path, room.board
    ends = find(tokens, 0, markers[2])
    fault = R.ok if ends < len(tokens) else R.truncated
    body = tokens[:ends]
    steps, broken, begins = split_completion(trace, solution, markers, body, rows)
    scratch = rows[len(rows) - 1, : solution.width]
    length, solution_reason = read_path(space, solution, body, begins, scratch, path)
    cost = 0
    if solution_reason == R.ok:
        solution_reason, cost = path_fault(space, path[:length], board.near)
    if fault != R.ok:
        solution_reason = fault
    replay(space, strategy, rows, steps, path[:length], board, reason[1:3], at[1:3])
    set_levels(fault if fault != R.ok else broken, steps, reason, at)
    if len(reason) == len(LEVELS):
        reason[3], at[3] = R.ok, -1
        if reason[2] != R.ok or solution_reason != R.ok:  # strict validity implies the paper's
            reason[3], at[3] = judge_paper(space, strategy, trace, solution, markers, body, fault, room)
    return steps, solution_reason, cost


@kernel
def judge_paper(
    space: Space,
    strategy: Strategy,
    trace: Table,
    solution: Table,
    markers: Markers,
    body: Integers,
    fault: int,
    room: Room,
) -> tuple[int, int]:
    """-> (reason, first bad step) on the level `paper`. fault: of the completion's end; room: overwritten."""
    steps, plan, unread = paper_rows(trace, solution, markers, body, room.path, room.rows)
    if fault != R.ok or unread != R.ok:
        return (fault if fault != R.ok else unread), steps
    return paper_verdict(space, strategy, room.rows, steps, plan, room.board)
