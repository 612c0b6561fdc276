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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.maze.grid import FREE_CELL, HEADER, flood, walls

TRIES = 100  # walls drawn for one maze before it is said to have no such change


class Layout(NamedTuple):
    """free: (height, width), 1 where there is no wall; start, goal: cells, y * width + x."""

    free: NDArray[np.int16]
    start: int
    goal: int


Change = Callable[[Layout, np.random.Generator, int], Layout | None]


def perturbed(
    problems: Ragged, kind: str, keys: NDArray[np.uint64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """-> (m,) which of the n problems have such a change, and the m changed ones, as they are stored.

    keys: (n,), of the draws; least: moves from start to goal. The problems are of one size.
    """
    rows, changed = [], []
    for row, (problem, key) in enumerate(zip(problems, keys, strict=True)):
        maze = CHANGES[kind](_read(problem), np.random.Generator(np.random.PCG64(int(key))), least)
        written = None if maze is None else _write(maze)
        if written is not None and not np.array_equal(written, problem):
            rows.append(row)
            changed.append(written)
    size = len(problems[0]) if len(problems) else HEADER
    return np.array(rows, np.int64), np.array(changed, np.int16).reshape(-1, size)


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


def mirror(maze: Layout, draw: np.random.Generator, least: int) -> Layout | None:
    """Columns in reverse order."""
    return _laid_out(maze, _numbered(maze)[:, ::-1])


def rotate(maze: Layout, draw: np.random.Generator, least: int) -> Layout | None:
    """So that the size, which the model was trained on, stays."""
    height, width = maze.free.shape
    return _laid_out(maze, np.rot90(_numbered(maze), -1 if height == width else 2))


def relabel(maze: Layout, draw: np.random.Generator, least: int) -> Layout | None:
    """The way back."""
    return maze._replace(start=maze.goal, goal=maze.start)


CHANGES: dict[str, Change] = {
    change.__name__: change for change in (move_goal, open_wall, close_wall, mirror, rotate, relabel)
}
KINDS = tuple(CHANGES)


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


def _numbered(maze: Layout) -> NDArray[np.int64]:
    return np.arange(maze.free.size).reshape(maze.free.shape)


def _laid_out(maze: Layout, cells: NDArray[np.int64]) -> Layout:
    """cells: (height, width), which cell comes to lie there."""
    place = np.argsort(cells, axis=None)
    return Layout(maze.free.ravel()[cells], int(place[maze.start]), int(place[maze.goal]))


def _read(problem: Integers) -> Layout:
    width, height, *ends = (int(number) for number in problem[:HEADER])
    free = np.asarray(problem[HEADER:], np.int16).reshape(height, width)
    return Layout(free, ends[1] * width + ends[0], ends[3] * width + ends[2])


def _write(maze: Layout) -> NDArray[np.int16]:
    height, width = maze.free.shape
    ends = (maze.start % width, maze.start // width, maze.goal % width, maze.goal // width)
    return np.concatenate([[width, height, *ends], maze.free.ravel()]).astype(np.int16)
