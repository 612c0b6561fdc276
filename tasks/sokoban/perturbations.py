"""Small changes of a Sokoban yard.

mirror        left and right are exchanged
rotate        a quarter turn clockwise; of an oblong yard half a turn, which keeps its sides
move_worker   the worker begins elsewhere, where it could have walked without pushing a box
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.shared.perturbing import (
    ANEW,
    MAPPED,
    Change,
    Changed,
    Make,
    carry_cells,
    mirrored,
    numbered,
    turned,
)
from tracelab.tasks.sokoban.yard import HEADER

Cells = NDArray[np.int64]
SAME = ("optimal_cost",)


def changes_of(stride: int) -> dict[str, Change]:
    """Changes by name. stride: the longest side that the vocabulary can write."""
    return {
        "mirror": Change(_moving(mirrored, stride), MAPPED, SAME),
        "rotate": Change(_moving(turned, stride), MAPPED, SAME),
        "move_worker": Change(move_worker, ANEW),
    }


def _moving(move: Callable[[Cells], Cells], stride: int) -> Make:
    """The change that moves cells."""

    def make(problem: Integers, draw: np.random.Generator) -> Changed:
        height, width, count = (int(number) for number in problem[:HEADER])
        cells = move(numbered(height, width))
        place = np.argsort(cells, axis=None)
        named, free = np.split(problem[HEADER:], [1 + 2 * count])
        worker, boxes, docks = np.split(place[named], [1, 1 + count])
        parts = (problem[:HEADER], worker, np.sort(boxes), np.sort(docks), free[cells.ravel()])
        return Changed(np.concatenate(parts), carry_cells(cells, stride))

    return make


def move_worker(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """All such cells are equally likely; boxes and docks stay."""
    width, count = int(problem[1]), int(problem[2])
    worker, boxes = int(problem[HEADER]), problem[HEADER + 1 : HEADER + 1 + count]
    open_ = np.array(problem[HEADER + 1 + 2 * count :], np.bool_)
    open_[boxes] = False
    known, front = {worker}, [worker]
    while front:
        cell = front.pop()
        beside = {cell - width, cell + width, cell - 1, cell + 1} - known  # a yard has walls around it
        new = [other for other in beside if open_[other]]
        known.update(new)
        front += new
    cells = sorted(known - {worker})
    if not cells:
        return None
    return Changed(np.concatenate([problem[:HEADER], [draw.choice(cells)], problem[HEADER + 1 :]]))
