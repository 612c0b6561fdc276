"""The maze's compiled batch kernels: draw problems, judge."""

from __future__ import annotations

import numpy as np

from tracelab.core.jit import kernel, njit
from tracelab.search.best_first.judge import judge_one, new_room
from tracelab.search.best_first.replay import new_board, replay
from tracelab.search.best_first.space import read_state
from tracelab.search.completion import longest
from tracelab.tasks.maze.draws import draw_problem
from tracelab.tasks.maze.grid import FREE_CELL, HEADER, Grid, grid_of, tables


@njit
def draw(knobs, low, high, bins, hashes, stride, keys):  # type: ignore[no-untyped-def]
    """Draw one problem per key -> (first key that failed or -1, identities, problems)."""
    n, cells = len(keys), knobs.width * knobs.height
    identities, problems = np.empty(n, np.uint64), np.empty((n, HEADER + cells), np.int16)
    random = np.empty(1, np.uint64)
    table, inverse = tables(knobs.width, knobs.height, stride)
    for i in range(n):
        random[0] = keys[i]
        start, goal, identities[i] = draw_problem(knobs, low, high, bins, hashes, random, table, inverse)
        if start < 0:
            return i, identities, problems
        write_problem(problems[i], knobs, start, goal, table)
    return -1, identities, problems


@kernel
def write_problem(out, knobs, start, goal, table):  # type: ignore[no-untyped-def]
    """Store a problem as integers (see HEADER)."""
    w = knobs.width
    out[0], out[1], out[2], out[3], out[4], out[5] = (
        w,
        knobs.height,
        start % w,
        start // w,
        goal % w,
        goal // w,
    )
    for c in range(len(table)):
        out[HEADER + c] = table[c, FREE_CELL]


@njit
def judge(strategy, stride, optimal, form, given, out):  # type: ignore[no-untyped-def]
    """Judge completion i of problem i; `out` are the fields of Verdicts."""
    problems, offsets, tokens, ends = given
    trace, solution, markers = form
    valid, best, solution_reason, reason, at, steps = out
    most, width, height = longest(ends) + 1, 0, 0
    cells, inverse = tables(width, height, stride)
    room = new_room(Grid(cells, inverse, 0, 0), trace, most)
    for i in range(len(offsets) - 1):
        problem = problems[offsets[i] : offsets[i + 1]]
        if problem[0] != width or problem[1] != height:
            width, height = int(problem[0]), int(problem[1])
            cells, inverse = tables(width, height, stride)
            room = new_room(Grid(cells, inverse, 0, 0), trace, most)
        grid = grid_of(problem, cells, inverse)
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i], cost = judge_one(
            grid, strategy, trace, solution, markers, completion, room, reason[i], at[i]
        )
        valid[i] = solution_reason[i] == 0
        best[i] = valid[i] and cost == optimal[i]


@njit
def judge_traces(strategy, stride, given, ok):  # type: ignore[no-untyped-def]
    """Is trace i (rows) strictly valid for problem i and reference solution i?"""
    problems, offsets, rows, row_ends, paths, path_ends = given
    most, width, height = longest(row_ends), 0, 0
    path = np.empty(longest(path_ends), np.int32)
    cells, inverse = tables(width, height, stride)
    board = new_board(Grid(cells, inverse, 0, 0), most)
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        problem = problems[offsets[i] : offsets[i + 1]]
        if problem[0] != width or problem[1] != height:
            width, height = int(problem[0]), int(problem[1])
            cells, inverse = tables(width, height, stride)
            board = new_board(Grid(cells, inverse, 0, 0), most)
        grid = grid_of(problem, cells, inverse)
        length = path_ends[i + 1] - path_ends[i]
        for k in range(length):
            path[k] = read_state(grid, paths[path_ends[i] + k], 1)
        trace = rows[row_ends[i] : row_ends[i + 1]]
        replay(grid, strategy, trace, len(trace), path[:length], board, reason, at)
        ok[i] = len(trace) > 0 and reason[1] == 0
