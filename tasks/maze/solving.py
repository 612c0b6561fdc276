"""The reference solver's search of maze problems, recorded and measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import mix64
from tracelab.core.types import Examples
from tracelab.search.best_first.batch import copy_rows, grown
from tracelab.search.best_first.search import CREATE, max_rows, path_to, search
from tracelab.search.best_first.space import neighbours
from tracelab.tasks.maze.grid import FREE_CELL, OPERAND, Grid, flood, grid_of, tables
from tracelab.tasks.maze.layouts import Knobs
from tracelab.tasks.maze.spanning_trees import TREES

MEASURES = ("expansions", "generated", "optimal_cost", "optimal_paths", "dead_ends", "free_cells")


def solved(
    knobs: Knobs,
    strategy: Any,
    stride: int,
    keys: NDArray[np.uint64],
    identity: NDArray[np.uint64],
    problems: NDArray[np.int16],
) -> Examples:
    """Problems (n, HEADER + cells) of the knobs' size with their searches. keys: of ties broken at random."""
    rows, row_ends, paths, path_ends, measures = solve(knobs, strategy, stride, keys, problems)
    return Examples(
        index=np.arange(len(keys)),
        identity=identity,
        problem=Ragged(problems.reshape(-1), np.arange(len(keys) + 1, dtype=np.int64) * problems.shape[1]),
        trace=Ragged(rows[: row_ends[-1]], row_ends),
        solution=Ragged(paths[: path_ends[-1]], path_ends),
        complexity=complexities(measures),
    )


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
def solve(knobs, strategy, stride, keys, problems):  # type: ignore[no-untyped-def]
    """-> (trace rows, ends of traces, path states, ends of paths, measures)."""
    n, cells = len(keys), knobs.width * knobs.height
    measures = np.empty((n, len(MEASURES)), np.float64)
    row_ends, path_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    random, path = np.empty(1, np.uint64), np.empty(cells, np.int32)
    table, inverse = tables(knobs.width, knobs.height, stride)
    scratch = np.empty((max_rows(Grid(table, inverse, 0, 0)), 4), np.int32)
    all_rows = np.empty((n * cells + 1, 4), np.int32)
    all_paths = np.empty((n * cells // 8 + cells, 2), np.int32)
    for i in range(n):
        grid = grid_of(problems[i], table, inverse)
        random[0] = mix64(keys[i])
        count, state, parent, expansions = search(grid, strategy, random, scratch)
        length = path_to(parent, state, path)
        measure(knobs, grid, scratch, count, expansions, length, measures[i])
        row_ends[i + 1], path_ends[i + 1] = row_ends[i] + count, path_ends[i] + length
        all_rows = grown(all_rows, row_ends[i + 1])
        all_paths = grown(all_paths, path_ends[i + 1])
        copy_rows(scratch, count, all_rows, row_ends[i])
        for k in range(length):
            all_paths[path_ends[i] + k, 0] = 0
            all_paths[path_ends[i] + k, 1] = table[path[k], OPERAND]
    return all_rows, row_ends, all_paths, path_ends, measures
