"""A maze from rows that were read from a file, as good as one that was generated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.maze.draws import canonical_hash
from tracelab.tasks.maze.grid import HEADER, grid_of, tables
from tracelab.tasks.maze.layouts import FREE, Knobs
from tracelab.tasks.maze.solving import MEASURES, complexities, measure
from tracelab.tasks.maze.text import GOAL, START, WALL


def example_of(
    prompt: Integers,
    trace: Integers,
    solution: Integers,
    knobs: Knobs,
    stride: int,
    hashes: NDArray[np.uint64],
) -> Examples:
    """One example from its rows. ValueError if the prompt is no maze of the knobs' size."""
    problem = problem_of(prompt, knobs.width, knobs.height, stride)
    grid = grid_of(problem, *tables(knobs.width, knobs.height, stride))
    measures = np.empty((1, len(MEASURES)))
    expansions = int((trace[:, 0] == CLOSE).sum())
    anything = knobs._replace(generator=FREE)  # measure it without trust in its origin
    measure(anything, grid, trace, len(trace), expansions, len(solution), measures[0])
    complexity = complexities(measures)
    if complexity["optimal_cost"][0] < 0:
        raise ValueError("no way leads from start to goal")
    identity = canonical_hash(hashes, problem[HEADER:].astype(np.uint8), grid.start, grid.goal)
    return Examples(
        index=np.zeros(1, np.int64),
        identity=np.array([identity], np.uint64),
        problem=_alone(problem),
        trace=_alone(trace),
        solution=_alone(solution),
        complexity=complexity,
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
