"""A maze from rows that were read from a file, as good as one that was generated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples
from tracelab.search.best_first.search import CLOSE, CREATE
from tracelab.tasks.maze.counts import grid_counts
from tracelab.tasks.maze.draws import identities
from tracelab.tasks.maze.grid import new_grid
from tracelab.tasks.maze.text import GOAL, START, WALL


def example_of(
    prompt: Integers,
    trace: Integers,
    solution: Integers,
    shape: tuple[int, int],
    stride: int,
    hashes: NDArray[np.uint64],
) -> Examples:
    """One example from its rows. ValueError if the prompt is no maze of this shape: (width, height)."""
    problem = problem_of(prompt, *shape, stride)
    moves, counts = grid_counts(new_grid(*shape, stride), _alone(problem))
    if moves[0] < 0:
        raise ValueError("no way leads from start to goal")
    expansions, created = (int((trace[:, 0] == op).sum()) for op in (CLOSE, CREATE))
    generated = created + int(len(trace) > 0 and trace[0, 0] != CREATE)  # the start
    return Examples(
        index=np.zeros(1, np.int64),
        identity=identities(hashes, problem[None]),
        problem=_alone(problem),
        trace=_alone(trace),
        solution=_alone(solution),
        complexity={
            "expansions": np.array([expansions]),
            "generated": np.array([generated]),
            "optimal_cost": moves,
            **counts,
        },
    )


def _alone(row: Integers) -> Ragged:
    return Ragged(row, np.array([0, len(row)]))


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
    return np.concatenate([[width, height], ends, free.ravel()]).astype(np.int16)
