"""How hard a maze is, beside the length of its search: what is counted in the grid itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Integers, Ragged
from tracelab.search.best_first.batch import COMPLEXITIES
from tracelab.search.best_first.space import max_degree, neighbours, pose
from tracelab.tasks.maze.grid import FREE_CELL, GOAL, HEIGHT, START, STRIDE, WIDTH, Grid, flood

COUNTS = ("optimal_paths", "dead_ends", "free_cells")
MEASURES = (*COMPLEXITIES, *COUNTS)
Counts = dict[str, NDArray[np.int64] | NDArray[np.float64]]


def grid_counts(
    grid: Grid, problems: Ragged, only: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], Counts]:
    """-> (n,) fewest moves from start to goal, -1 where no way leads there, and the other COUNTS by name.

    only: (n,) moves of each maze's only way; without it, ways are looked for.
    """
    moves, paths, ends, free = _count(grid, problems.values, problems.offsets, only is None)
    counts: Counts = {"optimal_paths": paths, "dead_ends": ends, "free_cells": free}
    return moves if only is None else only, counts


@njit
def _count(
    grid: Grid, problems: Integers, offsets: NDArray[np.int64], look: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """-> (fewest moves, ways that take no more, share of dead ends, free cells), (n,) each."""
    n, states = len(offsets) - 1, len(grid.cells)
    moves, paths, ends, free = np.zeros(n, np.int64), np.ones(n), np.empty(n), np.empty(n, np.int64)
    near = np.empty((2, max_degree(grid)), np.int32)
    distances, queue, ways = np.empty(states, np.int32), np.empty(states, np.int32), np.empty(states)
    for i in range(n):
        pose(grid, problems[offsets[i] : offsets[i + 1]])
        free[i], ends[i] = count_cells(grid, near)
        if look:
            moves[i], paths[i] = count_paths(grid, near, distances, queue, ways)
    return moves, paths, ends, free


@kernel
def count_cells(grid: Grid, near: NDArray[np.int32]) -> tuple[int, float]:
    """-> (free cells, share of them with one free neighbour or none). near: scratch."""
    free, ends = 0, 0
    for y in range(grid.query[HEIGHT]):
        for x in range(grid.query[WIDTH]):
            cell = y * grid.query[STRIDE] + x
            if grid.cells[cell, FREE_CELL]:
                free += 1
                ends += neighbours(grid, cell, near[0], near[1]) <= 1
    return free, ends / free


@kernel
def count_paths(
    grid: Grid,
    near: NDArray[np.int32],
    distances: NDArray[np.int32],
    queue: NDArray[np.int32],
    ways: NDArray[np.float64],
) -> tuple[int, float]:
    """-> (moves of the shortest paths from start to goal, how many there are). Arrays: scratch."""
    start, goal = grid.query[START], grid.query[GOAL]
    reached = flood(grid.cells, start, distances, queue)
    ways[:] = 0
    ways[start] = 1
    for i in range(reached):
        degree = neighbours(grid, queue[i], near[0], near[1])
        for k in range(degree):
            if distances[near[0, k]] == distances[queue[i]] + 1:
                ways[near[0, k]] += ways[queue[i]]
    return distances[goal], ways[goal]
