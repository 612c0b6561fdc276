"""The maze's grid as a search space, and distances in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first import space as spaces
from tracelab.tasks.maze.spanning_trees import DX, DY

HEADER = 6  # of a stored problem: width, height, start x, y, goal x, y; then one number a cell, 1 = free
FREE_CELL, X, Y, OPERAND, BESIDE = range(5)  # columns of Grid.cells; four of BESIDE


class Grid(NamedTuple):
    """A maze as a search space: a state is a cell; moves are up, right, down, left at cost 1.

    cells: (width * height, 8) int32 table that spares the inner loops their divisions: free?, x, y,
    operand (y * stride + x, so that grids of several sizes share words), the cells up, right, down
    and left (-1 outside). inverse: (stride**2,) the cell of an operand, -1 outside.
    """

    cells: NDArray[np.int32]
    inverse: NDArray[np.int32]
    start: int
    goal: int


@njit
def tables(width: int, height: int, stride: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Grid's `cells` (all walls) and `inverse` for a size."""
    cells = np.zeros((width * height, 8), np.int32)
    inverse = np.full(stride * stride, -1, np.int32)
    for y in range(height):
        for x in range(width):
            c = y * width + x
            cells[c, X], cells[c, Y], cells[c, OPERAND] = x, y, y * stride + x
            inverse[y * stride + x] = c
            for k in range(4):
                nx, ny = x + DX[k], y + DY[k]
                inside = 0 <= nx < width and 0 <= ny < height
                cells[c, BESIDE + k] = ny * width + nx if inside else -1
    return cells, inverse


@spaces.implements(spaces.capacity, Grid)
def _capacity(grid: Grid) -> int:
    return len(grid.cells)


@spaces.implements(spaces.start, Grid)
def _start(grid: Grid) -> int:
    return grid.start


@spaces.implements(spaces.is_goal, Grid)
def _is_goal(grid: Grid, state: int) -> bool:
    return state == grid.goal


@spaces.implements(spaces.heuristic, Grid)
def _heuristic(grid: Grid, state: int) -> int:
    """Manhattan distance."""
    cells, goal = grid.cells, grid.goal
    return abs(cells[state, X] - cells[goal, X]) + abs(cells[state, Y] - cells[goal, Y])


@spaces.implements(spaces.max_degree, Grid)
def _max_degree(grid: Grid) -> int:
    return 4


@spaces.implements(spaces.neighbours, Grid)
def _neighbours(grid: Grid, state: int, states: Integers, costs: Integers) -> int:
    cells, n = grid.cells, 0
    for k in range(4):
        cell = cells[state, BESIDE + k]
        if cell >= 0 and cells[cell, FREE_CELL]:
            states[n], costs[n] = cell, 1
            n += 1
    return n


@spaces.implements(spaces.read_state, Grid)
def _read_state(grid: Grid, row: Integers, column: int) -> int:
    operand = row[column]
    if operand < 0 or operand >= len(grid.inverse):
        return -1
    cell = grid.inverse[operand]
    return cell if cell >= 0 and grid.cells[cell, FREE_CELL] else -1


@spaces.implements(spaces.write_state, Grid)
def _write_state(grid: Grid, state: int, row: Integers, column: int) -> None:
    row[column] = grid.cells[state, OPERAND]


@njit
def grid_of(problem: Integers, cells: NDArray[np.int32], inverse: NDArray[np.int32]) -> Grid:
    """A stored problem -> Grid on the given tables, which it holds and changes."""
    width = int64(problem[0])
    for c in range(len(cells)):
        cells[c, FREE_CELL] = problem[HEADER + c]
    start, goal = problem[3] * width + problem[2], problem[5] * width + problem[4]
    return Grid(cells, inverse, start, goal)


@kernel
def flood(grid: Grid, distances: Integers, queue: Integers) -> int:
    """Breadth-first distances from the start, -1 where it does not reach -> how many it reaches."""
    cells = grid.cells
    distances[:] = -1
    distances[grid.start], queue[0] = 0, grid.start
    head, tail = 0, 1
    while head < tail:
        cell = queue[head]
        head += 1
        for k in range(4):
            after = cells[cell, BESIDE + k]
            if after >= 0 and cells[after, FREE_CELL] and distances[after] < 0:
                distances[after] = distances[cell] + 1
                queue[tail] = after
                tail += 1
    return tail
