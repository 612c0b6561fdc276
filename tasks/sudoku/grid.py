"""A sudoku as a constraint problem: a cell with one digit left, or a digit with one place in its unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.search.backtracking import problem as problems
from tracelab.search.backtracking.problem import OPEN, OUTSIDE
from tracelab.search.backtracking.search import how_many

HEADER = 1  # of a stored problem: its size; then one number a cell, row-major, 0 where it is blank
BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # rows and columns of a box
SIZES = tuple(BOXES)
ROW, COLUMN, BOX = range(3)


class Draws(NamedTuple):
    """What is drawn: the size, and the range of the number of clues."""

    size: int
    fewest: int
    most: int


class Grid(NamedTuple):
    """A sudoku on a grid of `values` by `values` cells, of which a smaller one takes the upper left part.

    A variable is a cell y * values + x; value d is the digit d + 1. hidden: do digits with one place in a
    row, column or box follow, too? shape: (3,) size, rows and columns of a box; units: (cells, 3) the
    row, column and box of a cell; used: (3, values) the digits that each unit has, as bit masks; tries:
    (cells, 2), order: (cells,) and colours: (5, cells) for scratch.
    """

    assignment: NDArray[np.int8]
    values: int
    positional: bool
    rule: int
    hidden: bool
    draws: Draws
    shape: NDArray[np.int64]
    units: NDArray[np.int64]
    used: NDArray[np.int64]
    tries: NDArray[np.int64]
    order: NDArray[np.int64]
    colours: NDArray[np.uint64]


def new_grid(draws: Draws, largest: int, rule: int, *, hidden: bool) -> Grid:
    """Empty tables for grids of up to `largest` by `largest` cells."""
    cells = largest * largest
    return Grid(
        assignment=np.empty(cells, np.int8),
        values=largest,
        positional=True,
        rule=rule,
        hidden=hidden,
        draws=draws,
        shape=np.zeros(3, np.int64),
        units=np.empty((cells, 3), np.int64),
        used=np.empty((3, largest), np.int64),
        tries=np.empty((cells, 2), np.int64),
        order=np.empty(cells, np.int64),
        colours=np.empty((5, cells), np.uint64),
    )


@kernel
def blank(grid: Grid, size: int) -> None:
    """Make the grid an empty one of a size."""
    rows, columns = (2 if size < 9 else 3), (2 if size == 4 else 3)
    grid.shape[0], grid.shape[1], grid.shape[2] = size, rows, columns
    grid.assignment[:] = OUTSIDE
    grid.used[:] = 0
    for y in range(size):
        for x in range(size):
            cell = y * grid.values + x
            grid.assignment[cell] = OPEN
            grid.units[cell, ROW], grid.units[cell, COLUMN] = y, x
            grid.units[cell, BOX] = (y // rows) * (size // columns) + x // columns


@kernel
def mark(grid: Grid, cell: int, value: int) -> None:
    """The digit has just come into the cell's units, or left them."""
    for u in range(3):
        grid.used[u, grid.units[cell, u]] ^= int64(1) << value


@kernel
def candidates(grid: Grid, cell: int) -> int:
    """The digits that a blank cell may have, as a bit mask."""
    used, units = grid.used, grid.units
    taken = used[ROW, units[cell, ROW]] | used[COLUMN, units[cell, COLUMN]] | used[BOX, units[cell, BOX]]
    return ((int64(1) << grid.shape[0]) - 1) & ~taken


@kernel
def cell_of(grid: Grid, unit: int, kind: int, k: int) -> int:
    """The k-th cell of a row, column or box."""
    size, rows, columns = grid.shape[0], grid.shape[1], grid.shape[2]
    if kind == ROW:
        return unit * grid.values + k
    if kind == COLUMN:
        return k * grid.values + unit
    across = size // columns
    y, x = unit // across * rows + k // columns, unit % across * columns + k % columns
    return y * grid.values + x


@kernel
def is_only_place(grid: Grid, cell: int, value: int) -> bool:
    """Is a blank cell the only one of its row, its column or its box that may have the digit?"""
    bit = int64(1) << value
    for kind in range(3):
        alone = True
        for k in range(grid.shape[0]):
            other = cell_of(grid, grid.units[cell, kind], kind, k)
            if other != cell and grid.assignment[other] == OPEN and candidates(grid, other) & bit:
                alone = False
                break
        if alone:
            return True
    return False


@problems.implements(problems.load, Grid)
def _load(grid: Grid, problem: Integers) -> None:
    size = int64(problem[0])
    blank(grid, size)
    for k in range(size * size):
        if problem[HEADER + k] > 0:
            cell, value = k // size * grid.values + k % size, int64(problem[HEADER + k]) - 1
            grid.assignment[cell] = value
            mark(grid, cell, value)


@problems.implements(problems.update, Grid)
def _update(grid: Grid, variable: int, value: int, by: int) -> None:
    mark(grid, variable, int64(value))


@problems.implements(problems.domain, Grid)
def _domain(grid: Grid, variable: int) -> int:
    return candidates(grid, variable)


@problems.implements(problems.slack, Grid)
def _slack(grid: Grid, variable: int) -> int:
    """Least for the cell with fewest digits left."""
    return how_many(candidates(grid, variable))


@problems.implements(problems.find_conflict, Grid)
def _find_conflict(grid: Grid, row: Integers) -> bool:
    """The first blank cell that has no digit left."""
    for cell in range(len(grid.assignment)):
        if grid.assignment[cell] == OPEN and candidates(grid, cell) == 0:
            row[2] = cell
            return True
    return False


@problems.implements(problems.find_forced, Grid)
def _find_forced(grid: Grid, row: Integers) -> bool:
    """The first cell with one digit left; else, where those count, the first that a digit must go to."""
    for cell in range(len(grid.assignment)):
        if grid.assignment[cell] == OPEN:
            mask = candidates(grid, cell)
            if mask != 0 and mask & (mask - 1) == 0:
                row[1], row[2] = cell * grid.values + how_many(mask - 1), ABSENT
                return True
    for cell in range(len(grid.assignment) if grid.hidden else 0):
        if grid.assignment[cell] == OPEN:
            mask = candidates(grid, cell)
            for value in range(grid.shape[0]):
                if (mask >> value) & 1 and is_only_place(grid, cell, value):
                    row[1], row[2] = cell * grid.values + value, ABSENT
                    return True
    return False


@problems.implements(problems.is_conflict, Grid)
def _is_conflict(grid: Grid, row: Integers) -> bool:
    cell = row[2]
    if cell < 0 or cell >= len(grid.assignment) or grid.assignment[cell] != OPEN:
        return False
    return candidates(grid, cell) == 0


@problems.implements(problems.follows, Grid)
def _follows(grid: Grid, row: Integers) -> bool:
    cell, value = int64(row[1] // grid.values), int64(row[1] % grid.values)
    mask = candidates(grid, cell)
    if not (mask >> value) & 1:
        return False
    return mask & (mask - 1) == 0 or (grid.hidden and is_only_place(grid, cell, value))


@problems.implements(problems.solves, Grid)
def _solves(grid: Grid, values: Integers) -> bool:
    """The clues are kept, and each digit is in each row, column and box."""
    size = grid.shape[0]
    for kind in range(3):
        for unit in range(size):
            seen = int64(0)
            for k in range(size):
                cell = cell_of(grid, unit, kind, k)
                if grid.assignment[cell] != OPEN and grid.assignment[cell] != values[cell]:
                    return False
                seen |= int64(1) << values[cell]
            if seen != (int64(1) << size) - 1:
                return False
    return True


@problems.implements(problems.satisfiable, Grid)
def _satisfiable(grid: Grid) -> bool:
    return True


@problems.implements(problems.accept, Grid)
def _accept(grid: Grid, wish: np.uint64, solved: bool, problem: Integers) -> bool:
    return solved
