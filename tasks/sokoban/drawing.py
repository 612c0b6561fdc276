"""A Sokoban yard drawn: as text for the terminal, and on matplotlib axes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.shared.marks import without_axes
from tracelab.tasks.sokoban.yard import FIRST, HEADER, WORKER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = "# wall   . dock   $ box   * box on a dock   @ worker   + worker on a dock"
PICTURE_LEGEND = "blue: where the worker was in closed states\nline: its way; squares: boxes; rings: docks"
Cell = tuple[int, int]


class Picture:
    """A stored problem as sets of (y, x)."""

    def __init__(self, problem: Integers) -> None:
        rows, columns, count = (int(n) for n in problem[:3])
        places = [divmod(int(c), columns) for c in problem[HEADER : HEADER + 1 + 2 * count]]
        self.worker, self.boxes, self.docks = places[0], places[1 : 1 + count], places[1 + count :]
        self.free = np.asarray(problem[HEADER + 1 + 2 * count :]).reshape(rows, columns)


def state_in(row: Integers, stride: int) -> tuple[Cell, list[Cell]]:
    """Worker and boxes as a step of a trace names them."""
    cells = [divmod(int(c), stride) for c in row[FIRST:-2] if c >= 0]
    y, x = divmod(int(row[WORKER]), stride)
    return (y, x), cells


def way(picture: Picture, solution: Integers, stride: int) -> list[Cell]:
    """The worker's cells, from the start on, whether the solution names it or not."""
    cells = [divmod(int(row[WORKER]), stride) for row in solution if row[WORKER] >= 0]
    return cells if cells[:1] == [picture.worker] else [picture.worker, *cells]


def draw_yard(
    problem: Integers, trace: Integers, solution: Integers, stride: int, step: int | None = None
) -> str:
    """The yard at the start and the worker's way; or the state that the last of `step` steps names."""
    picture = Picture(problem)
    worker, boxes, caption = picture.worker, picture.boxes, ""
    if step is None and len(solution):
        letters = {(-1, 0): "up", (1, 0): "down", (0, -1): "left", (0, 1): "right"}
        cells = way(picture, solution, stride)
        moves = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(cells)]
        caption = " ".join(letters.get(move, "?") for move in moves)
    elif step and len(trace):
        step = min(step, len(trace))
        row = trace[step - 1]
        worker, boxes = state_in(row, stride)
        what = "closed" if row[0] == CLOSE else "created"
        caption = f"step {step - 1}: {what} with g {row[-2]}, h {row[-1]}"
    lines = []
    for y, line in enumerate(picture.free):
        lines.append(
            "".join(_glyph((y, x), bool(free), worker, boxes, picture) for x, free in enumerate(line))
        )
    return "\n".join([*lines, caption] if caption else lines)


def _glyph(cell: Cell, free: bool, worker: Cell, boxes: list[Cell], picture: Picture) -> str:
    on_dock = cell in picture.docks
    if cell == worker:
        return "+" if on_dock else "@"
    if cell in boxes:
        return "*" if on_dock else "$"
    if on_dock:
        return "."
    return " " if free else "#"


def plot_yard(
    ax: Axes, problem: Integers, trace: Integers, solution: Integers, stride: int, bad: int | None
) -> None:
    """How often closed states have the worker on a cell, its way, boxes and docks; step `bad` crossed."""
    picture = Picture(problem)
    ax.imshow(np.where(picture.free == 1, 1.0, 0.25), cmap="gray", vmin=0, vmax=1)
    counts = np.full(picture.free.shape, np.nan)
    for row in trace[:bad]:
        y, x = state_in(row, stride)[0]
        if row[0] == CLOSE and 0 <= y < counts.shape[0] and 0 <= x < counts.shape[1]:
            counts[y, x] = np.nan_to_num(counts[y, x]) + 1
    ax.imshow(counts, cmap="Blues", vmin=-1, vmax=2 * np.nan_to_num(counts).max() + 1)
    down, right = zip(*way(picture, solution, stride), strict=True)
    ax.plot(right, down, color="#E69F00", lw=2.0, solid_capstyle="round", zorder=3)
    ax.plot(right[0], down[0], "o", color="#E69F00", ms=8, zorder=4)
    shapes: tuple[tuple[list[Cell], str, Any], ...] = (
        (picture.boxes, "s", {"mfc": "#CC79A7", "mec": "black"}),
        (picture.docks, "o", {"mfc": "none", "mec": "#009E73", "mew": 2.0, "ms": 11}),
    )
    for cells, marker, style in shapes:
        for y0, x0 in cells:
            ax.plot(x0, y0, marker, **{"ms": 9, "zorder": 4, **style})
    if bad is not None and bad < len(trace):
        (y0, x0), _ = state_in(trace[bad], stride)
        ax.plot(x0, y0, "x", color="#D55E00", ms=9, mew=2.2, zorder=5)
    without_axes(ax)
