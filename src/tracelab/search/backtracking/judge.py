"""Verdicts on the solution and the trace in a model's tokens, for every task on the backtracking grammar.

Any token sequence in, a verdict out, in near-linear time. Solution and trace are read apart: a
broken trace does not spoil the solution's verdict. Truncated completions (no stop token) pass nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers
from tracelab.core.codec import Codec, Markers
from tracelab.core.formats import Table
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Verdicts
from tracelab.search.backtracking.problem import Csp, load, satisfiable, solves
from tracelab.search.backtracking.reasons import R
from tracelab.search.backtracking.replay import ASSIGNMENT, NO_SOLUTION, NONE, read_claim, replay
from tracelab.search.backtracking.search import Stack, new_stack
from tracelab.search.completion import (
    Given,
    Judged,
    References,
    Tables,
    check_fit,
    find,
    longest,
    read_rows,
    set_levels,
    split_completion,
    strictly_valid,
    verdicts_of,
)


class Room(NamedTuple):
    """Scratch arrays for judging completions of up to a number of tokens."""

    rows: NDArray[np.int32]
    solution: NDArray[np.int32]
    values: NDArray[np.int32]
    stack: Stack


@njit
def new_room(csp: Csp, width: int, tokens: int) -> Room:
    """Room for completions of up to so many tokens. width: columns of a solution's rows."""
    values = np.empty(len(csp.assignment), np.int32)
    rows = np.empty((tokens + 2, 3), np.int32)
    solution = np.empty((tokens + 1, width), np.int32)
    return Room(rows, solution, values, new_stack(csp))


def judge(
    csp: Csp, codec: Codec, most: Mapping[str, int], examples: Examples, completions: Ragged
) -> Verdicts:
    """Verdicts on completions. csp: the task's tables; most: what they and the vocabulary can hold."""
    check_fit(most, examples, completions)
    return verdicts_of(partial(_judge, csp), codec, examples, completions)


def judge_traces(csp: Csp, most: Mapping[str, int], examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
    """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
    check_fit(most, examples, traces)
    return strictly_valid(partial(_judge_traces, csp), examples, traces)


@njit
def _judge(csp: Csp, tables: Tables, given: Given, out: Judged) -> None:
    problems, offsets, tokens, ends = given
    valid, best, solution_reason, reason, at, steps = out
    trace, solution, markers = tables
    room = new_room(csp, solution.width, longest(ends))
    for i in range(len(offsets) - 1):
        load(csp, problems[offsets[i] : offsets[i + 1]])
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i] = judge_one(
            csp, trace, solution, markers, completion, room, reason[i], at[i]
        )
        valid[i] = best[i] = solution_reason[i] == R.ok  # no solution is better than another


@kernel
def judge_one(
    csp: Csp,
    trace: Table,
    solution: Table,
    markers: Markers,
    tokens: Integers,
    room: Room,
    reason: Integers,
    at: Integers,
) -> tuple[int, int]:
    """Judge one completion of the loaded problem; writes reason[0:3] and at[0:3], one per level.

    -> (steps that parsed, reason of the solution)
    """
    rows = room.rows
    ends = find(tokens, 0, markers[2])
    body = tokens[:ends]
    steps, fault, begins = split_completion(trace, solution, markers, body, rows)
    claim, solution_reason = read_solution(csp, solution, body, begins, room)
    if ends == len(tokens):
        fault = solution_reason = R.truncated
    replay(csp, rows, steps, claim, room.values, room.stack, reason[1:3], at[1:3])
    set_levels(fault, steps, reason, at)
    return steps, solution_reason


@kernel
def read_solution(csp: Csp, solution: Table, tokens: Integers, begins: int, room: Room) -> tuple[int, int]:
    """What the solution claims, and why it is no solution of the loaded problem, or ok."""
    count = read_rows(solution, tokens, begins, room.solution)
    if count < 0:
        return NONE, R.syntax
    claim, fault = read_claim(csp, room.solution, count, room.values)
    if claim == NO_SOLUTION and satisfiable(csp):
        fault = R.satisfiable
    if claim == ASSIGNMENT and not solves(csp, room.values):
        fault = R.violated
    return claim, fault


@njit
def _judge_traces(csp: Csp, given: References, ok: Flags) -> None:
    problems, offsets, rows, row_ends, solutions, ends = given
    room = new_room(csp, 2, longest(row_ends))
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        load(csp, problems[offsets[i] : offsets[i + 1]])
        written = solutions[ends[i] : ends[i + 1]]
        claim, _ = read_claim(csp, written, len(written), room.values)
        count = row_ends[i + 1] - row_ends[i]
        room.rows[:count] = rows[row_ends[i] : row_ends[i + 1]]
        replay(csp, room.rows, count, claim, room.values, room.stack, reason, at)
        ok[i] = count > 0 and reason[1] == R.ok
