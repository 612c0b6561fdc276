"""Verdicts on the solution and the trace in a model's tokens, for every task on the game-tree grammar.

Any token sequence in, a verdict out. Solution and trace are read apart: a broken trace does not spoil the
solution's verdict, which stands on a look ahead of its own (`worth`). Truncated completions (no stop token)
pass nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers
from tracelab.core.codec import Codec, Markers
from tracelab.core.formats import ABSENT, Table
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
from tracelab.search.game_tree.game import Game, legal, load
from tracelab.search.game_tree.reasons import R
from tracelab.search.game_tree.replay import replay
from tracelab.search.game_tree.search import Line, new_line
from tracelab.search.game_tree.worth import weigh


class Searched(NamedTuple):
    """A game, and how its tree is searched: a place in SEARCHES, and one in TIE_BREAKS."""

    game: Game
    kind: int
    tie_break: int


class Room(NamedTuple):
    """Scratch arrays for judging completions of up to a number of tokens."""

    rows: NDArray[np.int32]
    solution: NDArray[np.int32]
    worth: NDArray[np.int32]
    line: Line


def judge(
    searched: Searched, codec: Codec, most: Mapping[str, int], examples: Examples, completions: Ragged
) -> Verdicts:
    """Verdicts on completions. most: what the game's arrays and the vocabulary can hold."""
    check_fit(most, examples, completions)
    return verdicts_of(partial(_judge, searched.game, searched.kind), codec, examples, completions)


def judge_traces(
    searched: Searched, most: Mapping[str, int], examples: Examples, traces: Ragged
) -> NDArray[np.bool_]:
    """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
    check_fit(most, examples, traces)
    return strictly_valid(partial(_judge_traces, searched.game, searched.kind), examples, traces)


@njit
def _judge(game: Game, kind: int, tables: Tables, given: Given, out: Judged) -> None:
    problems, offsets, tokens, ends = given
    valid, best, solution_reason, reason, at, steps = out
    trace, solution, markers = tables
    rows = np.empty((longest(ends) + 2, trace.width), np.int32)
    written = np.empty((longest(ends) + 1, solution.width), np.int32)
    room = Room(rows, written, np.empty(game.moves, np.int32), new_line(game))
    for i in range(len(offsets) - 1):
        load(game, problems[offsets[i] : offsets[i + 1]])
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i] = judge_one(
            game, kind, (trace, solution), markers, completion, room, reason[i], at[i]
        )
        valid[i] = best[i] = solution_reason[i] == R.ok  # what keeps the value is as good as can be


@kernel
def judge_one(
    game: Game,
    kind: int,
    tables: tuple[Table, Table],
    markers: Markers,
    tokens: Integers,
    room: Room,
    reason: Integers,
    at: Integers,
) -> tuple[int, int]:
    """Judge one completion of the loaded problem; writes reason[0:3] and at[0:3], one per level.

    -> (steps that parsed, reason of the solution)
    """
    trace, solution = tables
    ends = find(tokens, 0, markers[2])
    body = tokens[:ends]
    steps, fault, begins = split_completion(trace, solution, markers, body, room.rows)
    written = read_rows(solution, body, begins, room.solution)
    solution_reason = solution_fault(game, room, written)
    if ends == len(tokens):
        fault = solution_reason = R.truncated
    move = move_of(room.solution, written)
    replay(game, kind, room.rows, steps, move, room.line, reason[1:3], at[1:3])
    set_levels(fault, steps, reason, at)
    return steps, solution_reason


@kernel
def move_of(solution: Integers, written: int) -> int:
    """The one move of a solution, rows[:written], or -1."""
    return solution[0, 1] if written == 1 else ABSENT


@kernel
def solution_fault(game: Game, room: Room, written: int) -> int:
    """Why the solution, rows[:written], does not keep the value of the loaded problem, or ok."""
    if written < 1:
        return R.syntax if written < 0 else R.empty
    if written > 1:
        return R.too_much
    move = room.solution[0, 1]
    if not legal(game, move):
        return R.illegal_move
    most = weigh(game, room.line, room.worth)
    return R.ok if room.worth[move] == most else R.worse_move


@njit
def _judge_traces(game: Game, kind: int, given: References, ok: Flags) -> None:
    problems, offsets, rows, row_ends, solutions, ends = given
    line, reason, at = new_line(game), np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        load(game, problems[offsets[i] : offsets[i + 1]])
        solution, trace = solutions[ends[i] : ends[i + 1]], rows[row_ends[i] : row_ends[i + 1]]
        replay(game, kind, trace, len(trace), move_of(solution, len(solution)), line, reason, at)
        ok[i] = len(trace) > 0 and reason[1] == R.ok
