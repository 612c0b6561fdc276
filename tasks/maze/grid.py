"""The maze's grid as a search space, and distances in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Integers
from tracelab.search.best_first import space as spaces
from tracelab.tasks.maze.spanning_trees import DX, DY

HEADER = 6  # of a stored problem: width, height, start x, y, goal x, y; then one number a cell, 1 = free
FREE_CELL, X, Y, BESIDE = range(4)  # columns of Grid.cells; four of BESIDE
STRIDE, WIDTH, HEIGHT, START, GOAL, GOAL_X, GOAL_Y = range(7)  # places in Grid.query


class Grid(NamedTuple):
    """A maze as a search space: a state is a cell, y * stride + x; moves are up, right, down, left at cost 1.

    The stride is the longest side that the vocabulary can write: a cell's state is its operand, whatever the
    maze's size. cells: (states, 8) table that spares the inner loops their divisions: free?, x, y, the cells
    up, right, down and left (-1: there is no room for one), nothing; query: (7,) the stride, and of the maze
    at hand its width and height, its start, its goal, and the goal's x and y.
    """

    cells: NDArray[np.int32]
    query: NDArray[np.int32]


@njit
def new_grid(width: int, height: int, stride: int) -> Grid:
    """Room for mazes of up to this size."""
    query = np.zeros(7, np.int32)
    query[STRIDE] = stride
    return Grid(walls(width, height, stride), query)


@njit
def walls(width: int, height: int, stride: int) -> NDArray[np.int32]:
    """Grid's `cells` for a size, none of them free."""
    cells = np.zeros(((height - 1) * stride + width, 8), np.int32)
    for y in range(height):
        for x in range(width):
            c = y * stride + x
            cells[c, X], cells[c, Y] = x, y
            for k in range(4):
                nx, ny = x + DX[k], y + DY[k]
                inside = 0 <= nx < width and 0 <= ny < height
                cells[c, BESIDE + k] = ny * stride + nx if inside else -1
    return cells


@spaces.implements(spaces.pose, Grid)
def _pose(grid: Grid, problem: Integers) -> None:
    cells, query, stride = grid.cells, grid.query, grid.query[STRIDE]
    width, height = int(problem[0]), int(problem[1])  # y * width is more than int16 holds
    if query[WIDTH] != width or query[HEIGHT] != height:  # the last one's cells may lie beside this one's
        cells[:, FREE_CELL] = 0
        query[WIDTH], query[HEIGHT] = width, height
    query[START], query[GOAL] = problem[3] * stride + problem[2], problem[5] * stride + problem[4]
    query[GOAL_X], query[GOAL_Y] = problem[4], problem[5]
    for y in range(height):
        for x in range(width):
            cells[y * stride + x, FREE_CELL] = problem[HEADER + y * width + x]


@spaces.implements(spaces.capacity, Grid)
def _capacity(grid: Grid) -> int:
    return len(grid.cells)


@spaces.implements(spaces.start, Grid)
def _start(grid: Grid) -> int:
    return grid.query[START]


@spaces.implements(spaces.is_goal, Grid)
def _is_goal(grid: Grid, state: int) -> bool:
    return state == grid.query[GOAL]


@spaces.implements(spaces.heuristic, Grid)
def _heuristic(grid: Grid, state: int) -> int:
    """Manhattan distance."""
    cells, query = grid.cells, grid.query
    return abs(cells[state, X] - query[GOAL_X]) + abs(cells[state, Y] - query[GOAL_Y])


@spaces.implements(spaces.max_degree, Grid)
def _max_degree(grid: Grid) -> int:
    return 4


@spaces.implements(spaces.neighbours, Grid)
def _neighbours(grid: Grid, state: int, states: NDArray[np.int32], costs: NDArray[np.int32]) -> int:
    cells, n = grid.cells, 0
    for k in range(4):
        cell = cells[state, BESIDE + k]
        if cell >= 0 and cells[cell, FREE_CELL]:
            states[n], costs[n] = cell, 1
            n += 1
    return n


@spaces.implements(spaces.read_state, Grid)
def _read_state(grid: Grid, row: NDArray[np.int32], column: int) -> int:
    cell = row[column]
    return cell if 0 <= cell < len(grid.cells) and grid.cells[cell, FREE_CELL] else -1


@spaces.implements(spaces.write_state, Grid)
def _write_state(grid: Grid, state: int, row: NDArray[np.int32], column: int) -> None:
    row[column] = state


@kernel
def flood(
    cells: NDArray[np.int32], start: int, distances: NDArray[np.int32], queue: NDArray[np.int32]
) -> int:
    """Breadth-first distances from the start, -1 where it does not reach -> how many it reaches.

    cells: Grid's. distances, queue: (states,), overwritten; the queue's head lists what is reached, in order.
    """
    distances[:] = -1
    distances[start], queue[0] = 0, start
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
