"""The maze's compiled batch kernels: generate and solve, measure, judge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit
from tracelab.core.rng import mix64
from tracelab.search.batch import grown
from tracelab.search.best_first import CREATE, max_rows, path_to, search
from tracelab.search.completion import longest
from tracelab.search.judge import judge_one, new_room
from tracelab.search.replay import new_board, replay
from tracelab.search.space import neighbours, read_state
from tracelab.tasks._layouts import TREES
from tracelab.tasks._maze_draws import draw_problem
from tracelab.tasks._maze_grid import FREE_CELL, HEADER, OPERAND, Grid, flood, grid_of, tables

MEASURES = ("expansions", "generated", "optimal_cost", "optimal_paths", "dead_ends", "free_cells")


@njit
def measure(knobs, grid, rows, count, expansions, length, out):  # type: ignore[no-untyped-def]
    """Complexity of one problem, in the order of MEASURES."""
    cells = len(grid.cells)
    created = 0
    for r in range(count):
        created += rows[r, 0] == CREATE
    out[0] = expansions
    out[1] = created + (count > 0 and rows[0, 0] != CREATE)
    free_cells, ends = 0, 0
    states, costs = np.empty(4, np.int32), np.empty(4, np.int32)
    for c in range(cells):
        if grid.cells[c, FREE_CELL]:
            free_cells += 1
            ends += neighbours(grid, c, states, costs) <= 1
    out[4], out[5] = ends / free_cells, free_cells
    out[2], out[3] = length - 1, 1.0
    if knobs.generator not in TREES:
        distances, queue = np.empty(cells, np.int32), np.empty(cells, np.int32)
        reached = flood(grid, distances, queue)
        paths = np.zeros(cells, np.float64)
        paths[grid.start] = 1
        for i in range(reached):
            degree = neighbours(grid, queue[i], states, costs)
            for k in range(degree):
                if distances[states[k]] == distances[queue[i]] + 1:
                    paths[states[k]] += paths[queue[i]]
        out[2], out[3] = distances[grid.goal], paths[grid.goal]


def complexities(measures: NDArray[np.float64]) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    """(n, MEASURES) -> name -> (n,), counts as whole numbers."""
    shares = {"optimal_paths", "dead_ends"}
    return {
        name: measures[:, m].copy() if name in shares else measures[:, m].astype(np.int64)
        for m, name in enumerate(MEASURES)
    }


@njit
def generate(knobs, strategy, low, high, bins, hashes, stride, keys):  # type: ignore[no-untyped-def]
    """Draw and solve one problem per key.

    -> (first key that failed or -1, identities, problems, trace rows, ends of traces, path states,
    ends of paths, measures)
    """
    n, cells = len(keys), knobs.width * knobs.height
    identities, measures = np.empty(n, np.uint64), np.empty((n, len(MEASURES)), np.float64)
    problems = np.empty((n, HEADER + cells), np.int16)
    row_ends, path_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    random, path = np.empty(1, np.uint64), np.empty(cells, np.int32)
    table, inverse = tables(knobs.width, knobs.height, stride)
    scratch = np.empty((1, 4), np.int32)
    all_rows = np.empty((n * cells + 1, 4), np.int32)
    all_paths = np.empty((n * cells // 8 + cells, 2), np.int32)
    for i in range(n):
        random[0] = keys[i]
        start, goal, identities[i] = draw_problem(knobs, low, high, bins, hashes, random, table, inverse)
        if start < 0:
            return i, identities, problems, all_rows, row_ends, all_paths, path_ends, measures
        grid = Grid(table, inverse, start, goal)
        if i == 0:
            scratch = np.empty((max_rows(grid), 4), np.int32)
        random[0] = mix64(keys[i])
        count, state, parent, expansions = search(grid, strategy, random, scratch)
        length = path_to(parent, state, path)
        measure(knobs, grid, scratch, count, expansions, length, measures[i])
        row_ends[i + 1], path_ends[i + 1] = row_ends[i] + count, path_ends[i] + length
        all_rows = grown(all_rows, row_ends[i + 1])
        all_paths = grown(all_paths, path_ends[i + 1])
        all_rows[row_ends[i] : row_ends[i + 1]] = scratch[:count]
        for k in range(length):
            all_paths[path_ends[i] + k, 0] = 0
            all_paths[path_ends[i] + k, 1] = table[path[k], OPERAND]
        write_problem(problems[i], knobs, start, goal, table)
    return -1, identities, problems, all_rows, row_ends, all_paths, path_ends, measures


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
