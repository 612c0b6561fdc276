"""Small changes of a maze. Who has learned to solve mazes solves them, too; who knows them by heart does not.

    move_goal   the goal goes to another cell, drawn among those far enough from the start
    open_wall   a wall beside a cell that the start reaches becomes free
    close_wall  a free cell becomes a wall, unless that cuts the goal off
    mirror      left and right are exchanged
    rotate      a quarter turn clockwise; of an oblong maze half a turn, which keeps its sides
    relabel     start and goal trade places: they are the only names that a maze has (its cells are named by
                where they lie, and the grid leaves no room to move them)

Mirrored and rotated mazes are the same problem to the canonical hash, and another prompt to a model. All keep
the least distance from start to goal that the task asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.maze.grid import FREE_CELL, HEADER, flood, walls
from tracelab.tasks.shared.perturbing import (
    ANEW,
    MAPPED,
    TRIES,
    Change,
    Changed,
    carry_cells,
    mirrored,
    numbered,
    turned,
)


class Layout(NamedTuple):
    """free: (height, width), 1 where there is no wall; start, goal: cells, y * width + x."""

    free: NDArray[np.int16]
    start: int
    goal: int


Draw = Callable[[Layout, np.random.Generator, int], Layout | None]
Move = Callable[[NDArray[np.int64]], NDArray[np.int64]]
SAME = ("optimal_cost", "optimal_paths", "dead_ends", "free_cells")


def changes_of(least: int, stride: int) -> dict[str, Change]:
    """Changes by name. least: moves from start to goal; stride: longest side that words write."""
    drawn = (move_goal, open_wall, close_wall)
    found = {draw.__name__: Change(partial(_drawn, draw, least), ANEW) for draw in drawn}
    moved: dict[str, Move] = {"mirror": mirrored, "rotate": turned}
    found |= {name: Change(partial(_moved, move, stride), MAPPED, SAME) for name, move in moved.items()}
    return found | {"relabel": Change(relabel, MAPPED, SAME)}


def _drawn(draw: Draw, least: int, problem: Integers, random: np.random.Generator) -> Changed | None:
    maze = draw(_read(problem), random, least)
    return None if maze is None else Changed(_write(maze))


def _moved(move: Move, stride: int, problem: Integers, random: np.random.Generator) -> Changed:
    """Each cell with what is in it."""
    maze = _read(problem)
    cells = move(numbered(*maze.free.shape))
    place = np.argsort(cells, axis=None)
    laid = Layout(maze.free.ravel()[cells], int(place[maze.start]), int(place[maze.goal]))
    return Changed(_write(laid), carry_cells(cells, stride))


def relabel(problem: Integers, draw: np.random.Generator) -> Changed:
    """The way back."""
    maze = _read(problem)
    return Changed(_write(maze._replace(start=maze.goal, goal=maze.start)), lambda rows: rows[::-1])


def move_goal(maze: Layout, draw: np.random.Generator, least: int) -> Layout | None:
    """All goals are equally likely, as when a maze is generated."""
    goals = np.flatnonzero(distances(maze) >= least)
    goals = goals[goals != maze.goal]
    return maze._replace(goal=int(draw.choice(goals))) if len(goals) else None


def open_wall(maze: Layout, draw: np.random.Generator, least: int) -> Layout | None:
    """A wall that the search can come upon."""
    reached = np.pad((distances(maze) >= 0).reshape(maze.free.shape), 1)
    beside = reached[:-2, 1:-1] | reached[2:, 1:-1] | reached[1:-1, :-2] | reached[1:-1, 2:]
    return _with_one(maze, np.flatnonzero(beside & (maze.free == 0)), 1, draw, least)


def close_wall(maze: Layout, draw: np.random.Generator, least: int) -> Layout | None:
    """A cell that the search could have come upon."""
    cells = np.flatnonzero(distances(maze) >= 0)
    return _with_one(maze, cells[(cells != maze.start) & (cells != maze.goal)], 0, draw, least)


def _with_one(
    maze: Layout, cells: Integers, value: int, draw: np.random.Generator, least: int
) -> Layout | None:
    """The maze with one of the cells opened (1) or closed (0), the first draw that leaves a way."""
    for cell in draw.permutation(cells)[:TRIES]:
        free = maze.free.copy()
        free.flat[cell] = value
        changed = maze._replace(free=free)
        if distances(changed)[maze.goal] >= least:
            return changed
    return None


def distances(maze: Layout) -> NDArray[np.int32]:
    """(cells,) moves from the start, -1 where it does not reach."""
    height, width = maze.free.shape
    cells = walls(width, height, width)
    cells[:, FREE_CELL] = maze.free.ravel()
    far, queue = np.empty(len(cells), np.int32), np.empty(len(cells), np.int32)
    flood(cells, maze.start, far, queue)
    return far


def _read(problem: Integers) -> Layout:
    width, height, *ends = (int(number) for number in problem[:HEADER])
    free = np.asarray(problem[HEADER:], np.int16).reshape(height, width)
    return Layout(free, ends[1] * width + ends[0], ends[3] * width + ends[2])


def _write(maze: Layout) -> NDArray[np.int16]:
    height, width = maze.free.shape
    ends = (maze.start % width, maze.start // width, maze.goal % width, maze.goal // width)
    return np.concatenate([[width, height, *ends], maze.free.ravel()]).astype(np.int16)
