"""A maze as text for the terminal."""

from __future__ import annotations

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.search.best_first import CLOSE
from tracelab.tasks._maze_grid import HEADER

GLYPHS = "█· +o*SG"
(WALL, FREE, _, CREATED, CLOSED, PATH, START, GOAL) = range(8)
LEGEND = "S start   G goal   █ wall   · free   + created   o closed   * solution"


def cells_of(problem: Integers) -> Integers:
    """(height, width): 1 where free."""
    width, height = int(problem[0]), int(problem[1])
    return np.asarray(problem[HEADER:]).reshape(height, width)


def draw_maze(
    problem: Integers, trace: Integers, solution: Integers, stride: int, step: int | None = None
) -> str:
    """The grid, two characters a cell, with the trace up to `step` and then the solution."""
    picture = np.where(cells_of(problem) == 1, FREE, WALL)
    for op, cell, *_ in trace[:step]:
        y, x = divmod(int(cell), stride)
        if 0 <= y < picture.shape[0] and 0 <= x < picture.shape[1]:
            picture[y, x] = CLOSED if op == CLOSE else CREATED
    if step is None:
        for _, cell in solution:
            picture[divmod(int(cell), stride)] = PATH
    picture[problem[3], problem[2]] = START
    picture[problem[5], problem[4]] = GOAL
    return "\n".join("".join(GLYPHS[c] * 2 if c == WALL else GLYPHS[c] + " " for c in row) for row in picture)
