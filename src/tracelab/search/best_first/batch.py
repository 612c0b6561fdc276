"""Batches of problems on the best-first grammar, whatever the task: solve, write solutions, judge.

A task gives its space, on arrays that are reused from problem to problem (`space.pose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Words
from tracelab.core.codec import Codec
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import mix64
from tracelab.core.types import Examples, Verdicts
from tracelab.search.best_first.board import new_board
from tracelab.search.best_first.judge import judge_one, new_room, path_of
from tracelab.search.best_first.replay import replay
from tracelab.search.best_first.search import CREATE, NO_ROOM, NO_WAY, Strategy, max_rows, path_to, search
from tracelab.search.best_first.space import (
    Space,
    by_moves,
    capacity,
    is_full,
    names_start,
    pose,
    write_move,
    write_state,
)
from tracelab.search.completion import (
    LEVELS,
    Given,
    Judged,
    References,
    Tables,
    longest,
    strictly_valid,
    verdicts_of,
)

Rows = NDArray[np.int32]  # (rows, columns)
COMPLEXITIES = ("expansions", "generated", "optimal_cost")


class Searches(NamedTuple):
    """What came of a batch. solved: (n,) what was not met more states than the space has room for, and has no
    rows in traces and solutions; measures: (n, 3) expansions, generated states, the solution's cost.
    """

    solved: NDArray[np.bool_]
    traces: Ragged
    solutions: Ragged
    measures: NDArray[np.int64]


def solve(
    space: Space,
    strategy: Strategy,
    problems: Ragged,
    random: NDArray[np.uint64],
    widths: tuple[int, int],
    steps: int | None = None,
) -> Searches:
    """Search each problem; random: (n,) keys for ties, which may be those that the problems were drawn from:
    ties have nothing to do with them; widths: columns of a trace's and a solution's row;
    steps: room for those of one trace (None: for as many as there can be).

    ValueError if there is no way to a goal, or if `steps` leave too little room.
    """
    rows, row_ends, paths, path_ends, measures = _solve(
        space, strategy, problems.values, problems.offsets, random, widths, steps or 0
    )
    traces, solutions = Ragged(rows[: row_ends[-1]], row_ends), Ragged(paths[: path_ends[-1]], path_ends)
    return Searches(measures[:, 0] > 0, traces, solutions, measures)


def examples_of(
    identity: NDArray[np.uint64], problems: Ragged, searches: Searches, optimal_cost: NDArray[np.int64]
) -> Examples:
    """Problems with their searches. identity, optimal_cost: (n,)."""
    parts = *searches.measures.T[:2], optimal_cost
    complexity = {name: values.copy() for name, values in zip(COMPLEXITIES, parts, strict=True)}
    index = np.arange(len(problems))
    return Examples(index, identity, problems, searches.traces, searches.solutions, complexity)


def ragged(problems: NDArray[np.int16]) -> Ragged:
    """Problems that are stored in equally many integers, (n, integers), as rows."""
    n, size = problems.shape
    return Ragged(problems.reshape(-1), np.arange(n + 1, dtype=np.int64) * size)


def nameable(examples: Examples, outputs: Ragged, degree: int) -> int:
    """How many states an output can name: one a token, or a step of a solution, and its successors."""
    tokens = max(outputs.lengths.max(initial=0), examples.solution.lengths.max(initial=0))
    return (1 + degree) * int(tokens) + 16


@njit
def _solve(
    space: Space,
    strategy: Strategy,
    problems: Integers,
    offsets: Integers,
    random: Words,
    widths: tuple[int, int],
    steps: int,
) -> tuple[Rows, NDArray[np.int64], Rows, NDArray[np.int64], NDArray[np.int64]]:
    """-> (rows of the traces, where they end, rows of the solutions, where they end, measures)"""
    n = len(offsets) - 1
    measures = np.zeros((n, 3), np.int64)
    row_ends, path_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    key, path = np.empty(1, np.uint64), np.empty(capacity(space), np.int32)
    scratch = np.empty((steps if steps > 0 else max_rows(space), widths[0]), np.int32)
    rows, paths = np.empty((64 * n, widths[0]), np.int32), np.empty((8 * n, widths[1]), np.int32)
    for i in range(n):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        key[0] = mix64(random[i])
        count, state, parent, expansions = search(space, strategy, key, scratch)
        row_ends[i + 1], path_ends[i + 1] = row_ends[i], path_ends[i]
        if is_full(space):
            continue
        if state == NO_ROOM:
            raise ValueError("a search has more steps than there is room for: give `solve` more `steps`")
        if state == NO_WAY:
            raise ValueError("no way leads from the start to a goal")
        length = path_to(parent, state, path)
        skip = int(by_moves(space) and not names_start(space))
        row_ends[i + 1] += count
        path_ends[i + 1] += length - skip
        done = (i + 1) / n
        rows, paths = grown(rows, row_ends[i + 1], done), grown(paths, path_ends[i + 1], done)
        copy_rows(scratch, count, rows, row_ends[i])
        for k in range(skip, length):
            write_part(space, path, k, paths[path_ends[i] + k - skip])
        measures[i, 0], measures[i, 1] = expansions, count_created(scratch, count)
        measures[i, 2] = scratch[count - 1, widths[0] - 2]  # g of the goal, which is closed last
    return rows, row_ends, paths, path_ends, measures


@kernel
def write_part(space: Space, path: Integers, k: int, row: Integers) -> None:
    """Write the row of a solution that leads to path[k], or that names the start."""
    row[:] = ABSENT
    row[0] = 0
    if by_moves(space):
        write_move(space, path[max(k - 1, 0)], path[k], row)
    else:
        write_state(space, path[k], row, 1)


@kernel
def count_created(rows: Rows, count: int) -> int:
    """Creations in the trace rows[:count], with the start's; a state that is created anew counts again."""
    created = int(rows[0, 0] != CREATE)
    for r in range(count):
        created += rows[r, 0] == CREATE
    return created


@njit
def grown(array: Rows, wanted: int, done: float) -> Rows:
    """The array, or where `wanted` rows do not fit a larger copy. done: the share of all rows that these are,
    about: to copy once costs less than to double the room again and again.
    """
    if wanted <= len(array):
        return array
    larger = np.empty((int(1.1 * wanted / done) + 1, array.shape[1]), array.dtype)
    copy_rows(array, len(array), larger, 0)
    return larger


@kernel
def copy_rows(source: Rows, count: int, target: Rows, start: int) -> None:
    """The first `count` rows to target[start:]. (To assign a slice compiles numba's error messages, too.)"""
    for r in range(count):
        for c in range(source.shape[1]):
            target[start + r, c] = source[r, c]


def judge(
    space: Space,
    strategy: Strategy,
    codec: Codec,
    examples: Examples,
    completions: Ragged,
    levels: Sequence[str] = LEVELS,
) -> Verdicts:
    """Verdicts on completions, on these levels (LEVELS, or those of `judge`). The space has room for them."""
    optimal = examples.complexity["optimal_cost"]
    assert optimal.dtype == np.int64, "a cost is a whole number"
    own = partial(_judge, space, strategy, optimal)
    return verdicts_of(own, codec, examples, completions, len(levels))


@njit
def _judge(
    space: Space,
    strategy: Strategy,
    optimal: NDArray[np.int64] | NDArray[np.float64],
    tables: Tables,
    given: Given,
    out: Judged,
) -> None:
    """Judge completion i of problem i; out: the fields of Verdicts."""
    problems, offsets, tokens, ends = given
    trace, solution, markers = tables
    valid, best, solution_reason, reason, at, steps = out
    room = new_room(space, trace, longest(ends) + 1)
    for i in range(len(offsets) - 1):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i], cost = judge_one(
            space, strategy, trace, solution, markers, completion, room, reason[i], at[i]
        )
        valid[i] = solution_reason[i] == 0
        best[i] = valid[i] and cost == optimal[i]


def judge_traces(space: Space, strategy: Strategy, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
    """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
    return strictly_valid(partial(_judge_traces, space, strategy), examples, traces)


@njit
def _judge_traces(
    space: Space,
    strategy: Strategy,
    given: References,
    ok: Flags,
) -> None:
    """Is trace i strictly valid for problem i and reference solution i?"""
    problems, offsets, rows, row_ends, paths, path_ends = given
    board, path = new_board(space, longest(row_ends)), np.empty(longest(path_ends) + 1, np.int32)
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        pose(space, problems[offsets[i] : offsets[i + 1]])
        length = path_of(space, paths[path_ends[i] : path_ends[i + 1]], path)
        trace = rows[row_ends[i] : row_ends[i + 1]]
        replay(space, strategy, trace, len(trace), path[:length], board, reason, at)
        ok[i] = len(trace) > 0 and reason[1] == 0
