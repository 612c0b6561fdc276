"""Detours of a best-first search: more open states are expanded than the solution needs.

The reference's steps stay, in their order. Before its closings other open states are closed, and their
successors created: states that no later step of the reference names. So its own steps stay as legal as they
were, and the solution's parents with them. No goal is closed or created so. What comes out is locally valid;
strictly it is not, except where a state that was expanded had the least priority by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random, Words
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import below
from tracelab.core.types import Column, Examples
from tracelab.search.best_first.board import Board, G, H, new_board, open_start, open_state
from tracelab.search.best_first.reasons import R
from tracelab.search.best_first.replay import closed_by, created, replay
from tracelab.search.best_first.search import CLOSE, CLOSED, CREATE, OPEN, UNSEEN, Strategy, improves, record
from tracelab.search.best_first.space import (
    Space,
    by_moves,
    capacity,
    heuristic,
    is_goal,
    max_degree,
    neighbours,
    pose,
    write_move,
)
from tracelab.search.completion import largest, longest
from tracelab.search.detours import Given, Spliced, copy_steps, ragged_of, share_out


class Scratch(NamedTuple):
    """Arrays that are reused from trace to trace.

    board: of the replay; states: (steps,) the state that each step of the reference names; named: (capacity,)
    the last step that names a state; pool: open states that no later step names; due: (steps,) detours' steps
    that begin before each step.
    """

    board: Board
    states: NDArray[np.int32]
    named: NDArray[np.int32]
    pool: NDArray[np.int32]
    due: NDArray[np.int64]


def detours(
    space: Space,
    strategy: Strategy,
    examples: Examples,
    wanted: NDArray[np.int64],
    keys: NDArray[np.uint64],
    columns: Sequence[Column],
) -> tuple[Ragged, Ragged]:
    """What `core.types.Task` calls detours. columns: of a trace's row, with the largest cost that has a word.

    The space has room for what the longer traces name.
    """
    dearest = min(column.size for column in columns if column.role == "cost") - 1
    return ragged_of(_detours(space, strategy, dearest, Given.of(examples), wanted, keys))


@njit
def _detours(
    space: Space, strategy: Strategy, dearest: int, given: Given, wanted: NDArray[np.int64], keys: Words
) -> Spliced:
    """-> (rows, where each trace ends, for each row whether it was added)"""
    n, spare = len(wanted), max_degree(space) + 1
    steps = longest(given.ends) + largest(wanted) + spare
    scratch = Scratch(
        new_board(space, steps),
        np.empty(steps, np.int32),
        np.empty(capacity(space), np.int32),
        np.empty(steps, np.int32),
        np.empty(steps, np.int64),
    )
    rows = np.empty((len(given.rows) + wanted.sum() + n * spare, given.rows.shape[1]), np.int32)
    added, ends = np.zeros(len(rows), np.bool_), np.zeros(n + 1, np.int64)
    random, reason, at = np.empty(1, np.uint64), np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(n):
        pose(space, given.problems[given.offsets[i] : given.offsets[i + 1]])
        trace, out = given.rows[given.ends[i] : given.ends[i + 1]], rows[ends[i] :]
        random[0] = keys[i]
        name_states(space, strategy, trace, scratch)
        share_out(trace[:, 0] == CLOSE, wanted[i], random, scratch.due)
        count = wander(space, strategy, dearest, trace, wanted[i], random, scratch, out, added[ends[i] :])
        replay(space, strategy, out, count, scratch.states[:0], scratch.board, reason, at)
        if reason[0] != R.ok:  # the text of a step named another state than was meant
            count = copy_steps(trace, out, added[ends[i] :])
        ends[i + 1] = ends[i] + count
    return rows[: ends[n]], ends, added[: ends[n]]


@kernel
def name_states(space: Space, strategy: Strategy, trace: Integers, scratch: Scratch) -> None:
    """Write which state each step of a locally valid trace names, and the last step that names a state."""
    board, last = scratch.board, -1
    board.status[:] = UNSEEN
    scratch.named[:] = -1
    size = open_start(space, strategy, board)
    for r in range(len(trace)):
        creates = trace[r, 0] == CREATE
        state = created(space, trace[r], last) if creates else closed_by(space, board, trace[r])
        size = step(board, size, strategy, trace[r], state, last)
        last = last if creates else state
        scratch.states[r], scratch.named[state] = state, r


@kernel
def step(board: Board, size: int, strategy: Strategy, row: Integers, state: int, last: int) -> int:
    """Take a legal step -> the open list's new size."""
    if row[0] == CREATE:
        return open_state(board, size, strategy.solver, state, last, row[-2], row[-1], 0)
    board.status[state] = CLOSED
    return size


@kernel
def wander(
    space: Space,
    strategy: Strategy,
    dearest: int,
    trace: Integers,
    wanted: int,
    random: Random,
    scratch: Scratch,
    out: Integers,
    added: Flags,
) -> int:
    """Write a trace with its detours -> how many rows."""
    board, pool = scratch.board, scratch.pool
    board.status[:] = UNSEEN
    size, last = open_start(space, strategy, board), -1
    count = waiting = owed = 0
    left = wanted
    for r in range(len(trace)):
        owed += scratch.due[r]
        while trace[r, 0] == CLOSE and owed > 0 and waiting > 0:
            k = below(random, waiting)
            waiting -= 1
            state, pool[k] = pool[k], pool[waiting]
            if board.status[state] != OPEN or is_goal(space, state):
                continue
            more = expansion(space, strategy, dearest, scratch, state, r, out[count:])
            if more > 2 * left - below(random, 2):  # nearer to what is wanted without, or as near
                continue
            for j in range(more):
                other = state if j == 0 else board.near[0, j - 1]
                size = step(board, size, strategy, out[count], other, state)
                if j > 0:
                    pool[waiting] = other
                    waiting += 1
                added[count] = True
                count += 1
            owed, left = owed - more, left - more
        state = scratch.states[r]
        size = step(board, size, strategy, trace[r], state, last)
        if trace[r, 0] == CLOSE:
            last = state
        elif scratch.named[state] == r:
            pool[waiting] = state
            waiting += 1
        count = copy_steps(trace[r : r + 1], out[count:], added[count:]) + count
    return count


@kernel
def expansion(
    space: Space, strategy: Strategy, dearest: int, scratch: Scratch, state: int, r: int, out: Integers
) -> int:
    """Write the closing of an open state and the creations of those successors that no step from r on names;
    the latter's states stand first in board.near[0]. -> how many rows
    """
    board = scratch.board
    g, near = board.marks[state, G], board.near
    count = record(space, out, 0, CLOSE, state, g, board.marks[state, H])
    for k in range(neighbours(space, state, near[0], near[1])):
        other, cost = near[0, k], g + near[1, k]
        h = heuristic(space, other)
        if scratch.named[other] >= r or is_goal(space, other) or max(cost, h) > dearest:
            continue
        if improves(strategy, board.status[other], cost, board.marks[other, G]):
            count = record(space, out, count, CREATE, other, cost, h)
            if by_moves(space):
                write_move(space, state, other, out[count - 1])
            near[0, count - 2] = other
    return count
