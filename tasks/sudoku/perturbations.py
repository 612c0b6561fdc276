"""Small changes of a sudoku: what is renamed or moved together leaves it one solution.

rename_digits   the digits trade names
permute_rows    the rows of a band (the boxes beside each other) trade places
transpose       rows become columns, where boxes are square
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.shared.perturbing import MAPPED, Change, Changed, Make, order_of, with_operands
from tracelab.tasks.sudoku.grid import BOXES, HEADER

SAME = ("clues",)
Cells = NDArray[np.int64]


def changes_of(size: int) -> dict[str, Change]:
    """Changes by name, for sudokus of a size."""
    found: dict[str, Make] = {"rename_digits": rename_digits, "permute_rows": _moving(permuted_rows)}
    rows, columns = BOXES[size]
    if rows == columns:
        found["transpose"] = transpose
    return {kind: Change(make, MAPPED, SAME) for kind, make in found.items()}


def rename_digits(problem: Integers, draw: np.random.Generator) -> Changed:
    """Blanks, 0, stay."""
    size = int(problem[0])
    names = order_of(draw, size)
    cells = np.concatenate([[0], names + 1])[problem[HEADER:]]
    return Changed(np.concatenate([[size], cells]), lambda rows: with_operands(rows, names[rows[:, 1]]))


def transpose(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """None where boxes are not square, as of a problem of another size than the task's."""
    rows, columns = BOXES[int(problem[0])]
    return _moving(lambda cells, draw: cells.T)(problem, draw) if rows == columns else None


def permuted_rows(cells: Cells, draw: np.random.Generator) -> Cells:
    """Another order in each band, or in all but some."""
    size = len(cells)
    height, _ = BOXES[size]
    order = np.arange(size)
    while (order == np.arange(size)).all():
        order = draw.permuted(np.arange(size).reshape(-1, height), axis=1).ravel()
    return cells[order]


def _moving(move: Callable[[Cells, np.random.Generator], Cells]) -> Make:
    """The change that moves cells; a solution's rows are those of the cells, in their order."""

    def make(problem: Integers, draw: np.random.Generator) -> Changed:
        size = int(problem[0])
        order = move(np.arange(size * size).reshape(size, size), draw).ravel()
        moved = np.concatenate([[size], problem[HEADER:][order]])
        return Changed(moved, lambda rows: with_operands(rows, rows[order, 1]))

    return make
