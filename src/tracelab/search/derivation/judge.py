"""Verdicts on the solution and the trace in a model's tokens, for every task on the derivation grammar.

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
from tracelab.search.derivation.problem import System, load, solution_fault
from tracelab.search.derivation.reasons import R
from tracelab.search.derivation.replay import replay


class Room(NamedTuple):
    """Scratch arrays for judging completions of up to a number of tokens."""

    rows: NDArray[np.int32]
    solution: NDArray[np.int32]


def judge(
    system: System, codec: Codec, most: Mapping[str, int], examples: Examples, completions: Ragged
) -> Verdicts:
    """Verdicts on completions. system: the task's tables; most: what they and the vocabulary can hold."""
    check_fit(most, examples, completions)
    return verdicts_of(partial(_judge, system), codec, examples, completions)


def judge_traces(
    system: System, most: Mapping[str, int], examples: Examples, traces: Ragged
) -> NDArray[np.bool_]:
    """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
    check_fit(most, examples, traces)
    return strictly_valid(partial(_judge_traces, system), examples, traces)


@njit
def _judge(system: System, tables: Tables, given: Given, out: Judged) -> None:
    problems, offsets, tokens, ends = given
    valid, best, solution_reason, reason, at, steps = out
    trace, solution, markers = tables
    rows = np.empty((longest(ends) + 2, trace.width), np.int32)
    room = Room(rows, np.empty((longest(ends) + 1, solution.width), np.int32))
    for i in range(len(offsets) - 1):
        load(system, problems[offsets[i] : offsets[i + 1]])
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i], optimal = judge_one(
            system, trace, solution, markers, completion, room, reason[i], at[i]
        )
        valid[i] = solution_reason[i] == R.ok
        best[i] = valid[i] and optimal


@kernel
def judge_one(
    system: System,
    trace: Table,
    solution: Table,
    markers: Markers,
    tokens: Integers,
    room: Room,
    reason: Integers,
    at: Integers,
) -> tuple[int, int, bool]:
    """Judge one completion of the loaded problem; writes reason[0:3] and at[0:3], one per level.

    -> (steps that parsed, reason of the solution, is it optimal?)
    """
    ends = find(tokens, 0, markers[2])
    body = tokens[:ends]
    steps, fault, begins = split_completion(trace, solution, markers, body, room.rows)
    written = read_rows(solution, body, begins, room.solution)
    solution_reason, optimal = R.syntax, False
    if written == 0:
        solution_reason = R.empty
    if written > 0:
        solution_reason, optimal = solution_fault(system, room.solution, written)
    if ends == len(tokens):
        fault = solution_reason = R.truncated
    replay(system, room.rows, steps, room.solution, max(written, 0), reason[1:3], at[1:3])
    set_levels(fault, steps, reason, at)
    return steps, solution_reason, optimal


@njit
def _judge_traces(system: System, given: References, ok: Flags) -> None:
    problems, offsets, rows, row_ends, solutions, ends = given
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        load(system, problems[offsets[i] : offsets[i + 1]])
        solution, trace = solutions[ends[i] : ends[i + 1]], rows[row_ends[i] : row_ends[i + 1]]
        replay(system, trace, len(trace), solution, len(solution), reason, at)
        ok[i] = len(trace) > 0 and reason[1] == R.ok
