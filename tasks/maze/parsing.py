"""A maze from a prompt that was read from a file; walls may stand in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.maze.grid import HEADER
from tracelab.tasks.maze.text import GOAL, START, WALL

DOUBT = 1e-6  # chance that walls leave a margin free, below which the mazes are of another size


def problem_of(prompt: Integers, width: int, height: int, stride: int) -> NDArray[np.int16]:
    """Prompt rows -> a problem as it is stored."""
    x, y = prompt[:, 1] % stride, prompt[:, 1] // stride
    cells = prompt[:, 0] <= WALL  # other rows name no cell
    outside = np.flatnonzero(cells & ((x >= width) | (y >= height)))
    if len(outside):
        raise ValueError(f"cell ({x[outside[0]]}, {y[outside[0]]}) is outside a {width}x{height} maze")
    free = np.ones((height, width), np.int16)
    wall = prompt[:, 0] == WALL
    free[y[wall], x[wall]] = 0
    ends = []
    for name, op in (("start", START), ("goal", GOAL)):
        at = np.flatnonzero(prompt[:, 0] == op)
        if len(at) != 1:
            raise ValueError(f"the prompt has {len(at)} {name}s, not one")
        ends += [x[at[0]], y[at[0]]]
        if not free[y[at[0]], x[at[0]]]:
            raise ValueError(f"the {name} stands on a wall")
    if ends[:2] == ends[2:]:
        raise ValueError("the start is the goal")
    return np.concatenate([[width, height], ends, free.ravel()]).astype(np.int16)


def table_of(problems: Ragged, width: int, height: int) -> NDArray[Any]:
    """(n, numbers): stored mazes of one size, a row each; n may be 0."""
    return problems.values.reshape(len(problems), HEADER + width * height)


def check_size(problems: Ragged, width: int, height: int) -> None:
    """ValueError unless stored mazes are all of this size."""
    for place, own in enumerate((width, height)):
        sides = problems.values[problems.offsets[:-1] + place]
        if (sides != own).any():
            raise ValueError(
                f"a maze with a side of {sides[sides != own][0]} is none of {width}x{height}: set task.size "
                "to what they are, or take the task that drew them"
            )


def check_extent(problems: Ragged, width: int, height: int) -> None:
    """ValueError if mazes were read as of this size, but all that they name lies within a smaller one.

    Cells that are not named are free, so a smaller maze reads as one with a wide margin. How likely that is
    by chance, the share of walls within says, and that a maze may have none at every second cell of a margin.
    """
    mazes = table_of(problems, width, height)
    walls = mazes[:, HEADER:].reshape(-1, height, width) == 0
    _, y, x = np.nonzero(walls)
    right = int(max(x.max(initial=0), mazes[:, [2, 4]].max())) + 1
    lower = int(max(y.max(initial=0), mazes[:, [3, 5]].max())) + 1
    within, margin = right * lower * len(mazes), (width * height - right * lower) * len(mazes)
    if (1 - len(x) / within) ** (margin / 2) < DOUBT:
        raise ValueError(
            f"the mazes are of {right}x{lower} cells, not {width}x{height}: set task.size to what they are "
            "(and task.reach.side to what the vocabulary is to write)"
        )
