"""Batches of problems on the best-first grammar, whatever the task: solve, write solutions, judge.

A task gives its space, on arrays that are reused from problem to problem (`space.pose`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import ABSENT, Codec, narrow
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Verdicts
from tracelab.search.best_first import CREATE, Strategy, path_to, search
from tracelab.search.completion import LEVELS
from tracelab.search.judge import add_to_path, arrays, empty_verdicts, judge_one, new_room
from tracelab.search.replay import new_board, replay
from tracelab.search.space import (
    by_moves,
    capacity,
    is_full,
    max_degree,
    neighbours,
    pose,
    write_move,
    write_state,
)

MEASURES = ("expansions", "generated", "cost")


def solve(
    space: Any,
    strategy: Strategy,
    problems: Ragged,
    random: NDArray[np.uint64],
    widths: tuple[int, int],
    steps: int,
) -> tuple[NDArray[np.bool_], Ragged, Ragged, NDArray[np.int64]]:
    """Search each problem; random: (n,) keys for ties; widths: columns of a trace's and a solution's row;
    steps: room for those of one trace.

    -> (n,) which were solved, traces, solutions, (n, MEASURES). What was not solved met more states than the
    space has room for, and has no rows. ValueError if there is no way to a goal.
    """
    rows, row_ends, paths, path_ends, measures = _solve(
        space, strategy, problems.values, problems.offsets, random, widths, steps
    )
    traces, solutions = Ragged(rows[: row_ends[-1]], row_ends), Ragged(paths[: path_ends[-1]], path_ends)
    return measures[:, 0] > 0, traces, solutions, measures


@njit
def _solve(space, strategy, problems, offsets, random, widths, steps):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    measures = np.zeros((n, len(MEASURES)), np.int64)
    row_ends, path_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    key, path = np.empty(1, np.uint64), np.empty(capacity(space), np.int32)
    scratch = np.empty((steps, widths[0]), np.int32)
    rows, paths = np.empty((64 * n, widths[0]), np.int32), np.empty((8 * n, widths[1]), np.int32)
    for i in range(n):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        key[0] = random[i]
        count, state, parent, expansions = search(space, strategy, key, scratch)
        row_ends[i + 1], path_ends[i + 1] = row_ends[i], path_ends[i]
        if is_full(space):
            continue
        assert state >= 0, "a problem has a solution"
        length = path_to(parent, state, path)
        skip = int(by_moves(space))
        row_ends[i + 1] += count
        path_ends[i + 1] += length - skip
        rows, paths = grown(rows, row_ends[i + 1]), grown(paths, path_ends[i + 1])
        rows[row_ends[i] : row_ends[i + 1]] = scratch[:count]
        for k in range(skip, length):
            write_part(space, path, k, paths[path_ends[i] + k - skip])
        measures[i, 0], measures[i, 1] = expansions, (scratch[:count, 0] == CREATE).sum()
        measures[i, 1] += scratch[0, 0] != CREATE  # the start
        measures[i, 2] = cost_of(space, path[:length])
    return rows, row_ends, paths, path_ends, measures


@kernel
def write_part(space, path, k, row):  # type: ignore[no-untyped-def]
    """Write the row of a solution that leads to path[k]."""
    row[:] = ABSENT
    row[0] = 0
    if by_moves(space):
        write_move(space, path[k - 1], path[k], row)
    else:
        write_state(space, path[k], row, 1)


@njit
def cost_of(space, path):  # type: ignore[no-untyped-def]
    """What a path costs."""
    near, total = np.empty((2, max_degree(space)), np.int32), 0
    for k in range(1, len(path)):
        degree = neighbours(space, path[k - 1], near[0], near[1])
        for j in range(degree):
            if near[0, j] == path[k]:
                total += near[1, j]
                break
    return total


@njit
def grown(array, wanted):  # type: ignore[no-untyped-def]
    """The array, or a copy of twice the room where `wanted` rows do not fit."""
    if wanted <= len(array):
        return array
    larger = np.empty((max(2 * len(array), wanted), array.shape[1]), array.dtype)
    larger[: len(array)] = array
    return larger


def judge(
    space: Any,
    strategy: Strategy,
    codec: Codec,
    examples: Examples,
    completions: Ragged,
    optimal: NDArray[Any],
) -> Verdicts:
    """Verdicts on completions; optimal: (n,) the least cost of each problem. The space has room for them."""
    verdicts = empty_verdicts(len(examples), len(LEVELS))
    tables = codec.trace, codec.solution, codec.markers
    problems, out = examples.problem, arrays(verdicts)
    given = problems.values, problems.offsets, narrow(completions.values), completions.offsets
    _judge(space, strategy, tables, optimal, given, out)
    return verdicts


@njit
def _judge(space, strategy, tables, optimal, given, out):  # type: ignore[no-untyped-def]
    problems, offsets, tokens, ends = given
    trace, solution, markers = tables
    valid, best, solution_reason, reason, at, steps = out
    longest = 1
    for i in range(len(offsets) - 1):
        longest = max(longest, ends[i + 1] - ends[i] + 1)
    room, levels = new_room(space, trace, longest), len(LEVELS)
    reasons, places = np.empty(levels + 1, np.uint8), np.empty(levels + 1, np.int32)  # the last: `paper`
    for i in range(len(offsets) - 1):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i], cost = judge_one(
            space, strategy, trace, solution, markers, completion, room, reasons, places
        )
        reason[i], at[i] = reasons[:levels], places[:levels]
        valid[i] = solution_reason[i] == 0
        best[i] = valid[i] and cost == optimal[i]


def judge_traces(space: Any, strategy: Strategy, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
    """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
    problems, solutions, ok = examples.problem, examples.solution, np.zeros(len(examples), np.bool_)
    rows = narrow(traces.values), traces.offsets, solutions.values, solutions.offsets
    _judge_traces(space, strategy, (problems.values, problems.offsets, *rows), ok)
    return ok


@njit
def _judge_traces(space, strategy, given, ok):  # type: ignore[no-untyped-def]
    problems, offsets, rows, row_ends, paths, path_ends = given
    longest, farthest = 1, 0
    for i in range(len(ok)):
        longest = max(longest, row_ends[i + 1] - row_ends[i])
        farthest = max(farthest, path_ends[i + 1] - path_ends[i])
    board, path = new_board(space, longest), np.empty(farthest + 1, np.int32)
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        length = 0
        for k in range(path_ends[i], path_ends[i + 1]):
            length = add_to_path(space, paths[k], path, length)
        trace = rows[row_ends[i] : row_ends[i + 1]]
        replay(space, strategy, trace, len(trace), path[:length], board, reason, at)
        ok[i] = len(trace) > 0 and reason[1] == 0
