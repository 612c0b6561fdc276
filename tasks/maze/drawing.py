"""A maze drawn: as text for the terminal, and on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.maze.grid import HEADER
from tracelab.tasks.shared.marks import bring_forward, without_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

GLYPHS = "█·+o*SG"
WALL, FREE, CREATED, CLOSED, PATH, START, GOAL = range(7)
PICTURE_LEGEND = "filled: closed, darker later; outlined: created\nline: solution; cross: first bad step"
LEGEND = "S start   G goal   █ wall   · free   + created   o closed   * solution"


def cells_of(problem: Integers) -> Integers:
    """(height, width): 1 where free."""
    width, height = int(problem[0]), int(problem[1])
    return np.asarray(problem[HEADER:]).reshape(height, width)


def place(operand: int, stride: int, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """(y, x) of a cell's operand; None outside the grid."""
    y, x = divmod(int(operand), stride)
    return (y, x) if operand >= 0 and y < shape[0] and x < shape[1] else None


def draw_maze(
    problem: Integers, trace: Integers, solution: Integers, stride: int, step: int | None = None
) -> str:
    """The grid, two characters a cell, with the trace up to `step`; the solution if no step is given."""
    picture = np.where(cells_of(problem) == 1, FREE, WALL)
    marks = [(row[1], CLOSED if row[0] == CLOSE else CREATED) for row in trace[:step]]
    marks += [(row[1], PATH) for row in solution] if step is None else []
    for operand, mark in marks:
        at = place(operand, stride, picture.shape)
        if at is not None and picture[at] != WALL:
            picture[at] = mark
    picture[problem[3], problem[2]] = START
    picture[problem[5], problem[4]] = GOAL
    return "\n".join("".join(GLYPHS[c] * 2 if c == WALL else GLYPHS[c] + " " for c in row) for row in picture)


def maze_scene(problem: Integers, trace: Integers, solution: Integers, stride: int) -> dict[str, Any]:
    """The maze and its search as plain numbers, for the report's viewer, see `Task`."""
    free = cells_of(problem)
    height, width = free.shape

    def cell(operand: int) -> int:
        at = place(operand, stride, free.shape)
        return -1 if at is None else at[0] * width + at[1]

    return {
        "width": width,
        "height": height,
        "blocked": np.flatnonzero(free.ravel() == 0).tolist(),
        "labels": {
            "S": int(problem[3]) * width + int(problem[2]),
            "G": int(problem[5]) * width + int(problem[4]),
        },
        "steps": [[cell(row[1]), int(row[0] == CLOSE)] for row in trace],
        "path": [cell(row[1]) for row in solution],
    }


def plot_maze(
    ax: Axes, problem: Integers, trace: Integers, solution: Integers, stride: int, bad: int | None
) -> None:
    """Closed cells shaded by their order, open ones outlined, the solution as a line, step `bad` crossed."""
    free = cells_of(problem)
    height, width = free.shape
    ax.imshow(np.where(free == 1, 1.0, 0.25), cmap="gray", vmin=0, vmax=1)
    order = np.full(free.shape, np.nan)
    for i, row in enumerate(trace[:bad]):
        at = place(row[1], stride, free.shape)
        if at is not None and row[0] == CLOSE:
            order[at] = i
        elif at is not None:
            ax.add_patch(_square(at, fill=False, edgecolor="#56B4E9", lw=0.8))
    ax.imshow(order, cmap="Blues", vmin=-0.6 * len(trace) - 1, vmax=1.4 * len(trace) + 1)
    points = [p for p in (place(row[1], stride, free.shape) for row in solution) if p is not None]
    if points:
        y, x = zip(*points, strict=True)
        ax.plot(x, y, color="#E69F00", lw=2.0, solid_capstyle="round", zorder=3)
    for letter, x, y in (("S", problem[2], problem[3]), ("G", problem[4], problem[5])):
        size = min(9.0, 120 / max(width, height))
        font = {"fontsize": size, "weight": "bold"}
        bring_forward([ax.text(x, y, letter, ha="center", va="center", **font)])
    if bad is not None and bad < len(trace):
        at = place(trace[bad][1], stride, free.shape)
        if at is not None:
            ax.plot(at[1], at[0], "x", color="#D55E00", ms=14, mew=2.2, zorder=5)
    without_axes(ax, frame=True)


def _square(at: tuple[int, int], **style: Any) -> Rectangle:
    from matplotlib import patches

    return patches.Rectangle((at[1] - 0.42, at[0] - 0.42), 0.84, 0.84, **style)
