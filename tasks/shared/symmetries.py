"""Grids of rows by columns, cells numbered row by row: what lies beside a cell, the square's symmetries."""

from __future__ import annotations

from tracelab.core.jit import kernel

SYMMETRIES = 8  # bit 0: transposed; bit 1: upside down; bit 2: left and right exchanged
DOWN, RIGHT = (-1, 1, 0, 0), (0, 0, -1, 1)  # up, down, left, right


@kernel
def beside(rows: int, columns: int, cell: int, side: int) -> int:
    """The cell above, below, left or right, or -1."""
    row, column = cell // columns + DOWN[side], cell % columns + RIGHT[side]
    return row * columns + column if 0 <= row < rows and 0 <= column < columns else -1


@kernel
def moved(rows: int, columns: int, cell: int, symmetry: int) -> int:
    """Where a cell comes to lie."""
    row, column = cell // columns, cell % columns
    if symmetry & 2:
        row = rows - 1 - row
    if symmetry & 4:
        column = columns - 1 - column
    return column * rows + row if symmetry & 1 else row * columns + column
