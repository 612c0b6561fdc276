"""Drawing sudokus with one solution, and their canonical hash."""

from __future__ import annotations

import numpy as np

from tracelab.core.arrays import Integers, Random, int64
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import mix64, shuffle
from tracelab.search.backtracking import problem as problems
from tracelab.search.backtracking.problem import OPEN, OUTSIDE
from tracelab.search.backtracking.search import how_many, pick
from tracelab.tasks.sudoku.grid import BOX, COLUMN, HEADER, ROW, Grid, blank, candidates, mark

FEWEST = {4: 4, 6: 8, 9: 17}  # clues with which a sudoku can have one solution (McGuire et al. 2014 for 9x9)
ROUNDS = 4  # of colour refinement


@problems.implements(problems.draw, Grid)
def _draw(grid: Grid, random: Random, wish: np.uint64, problem: Integers) -> int:
    """Fill a grid at random; take digits out in random order while the solution stays the only one.

    -> how many integers, or 0 where too many clues are left.
    """
    draws = grid.draws
    size = draws.size
    blank(grid, size)
    complete(grid, 0, random)
    span = np.uint64(draws.most - draws.fewest + 1)
    wanted, clues = draws.fewest + int64((wish >> np.uint64(8)) % span), size * size
    order = grid.order[: size * size]
    for k in range(size * size):
        order[k] = k
    shuffle(random, order)
    for k in order:
        if clues == wanted:
            break
        cell = k // size * grid.values + k % size
        clues -= takes_out(grid, cell, random)
    if clues > wanted:
        return 0
    problem[0] = size
    for k in range(size * size):
        problem[HEADER + k] = grid.assignment[k // size * grid.values + k % size] + 1
    return HEADER + size * size


@kernel
def put(grid: Grid, cell: int, value: int) -> None:
    """Give a blank cell a digit, or take it out again (OPEN)."""
    mark(grid, cell, int64(grid.assignment[cell] if value == OPEN else value))
    grid.assignment[cell] = value


@kernel
def takes_out(grid: Grid, cell: int, random: Random) -> bool:
    """Blank the cell if no other digit in it can be completed to a solution -> was it?"""
    value = int64(grid.assignment[cell])
    put(grid, cell, OPEN)
    grid.tries[0, 0], grid.tries[0, 1] = cell, candidates(grid, cell) & ~(int64(1) << value)
    depth = complete(grid, 1, random)
    for d in range(depth):
        put(grid, grid.tries[d, 0], OPEN)
    if depth > 0:
        put(grid, cell, value)
    return depth == 0


@kernel
def complete(grid: Grid, depth: int, random: Random) -> int:
    """Complete the grid by trying digits in random order, those of the tightest cell first.

    depth: in how many cells of grid.tries digits are to be tried before others (one at most). -> how many
    cells were filled, those of grid.tries; 0 if there is no way, and then none is.
    """
    tries, forward = grid.tries, depth == 0
    while True:
        if forward:
            cell = tightest(grid)
            if cell < 0:
                return depth
            tries[depth, 0], tries[depth, 1] = cell, candidates(grid, cell)
            depth += 1
        cell = tries[depth - 1, 0]
        if grid.assignment[cell] != OPEN:
            put(grid, cell, OPEN)
        forward = tries[depth - 1, 1] != 0
        if forward:
            value = pick(tries[depth - 1, 1], 1, random)
            tries[depth - 1, 1] &= ~(int64(1) << value)
            put(grid, cell, value)
        else:
            depth -= 1
            if depth == 0:
                return 0


@kernel
def tightest(grid: Grid) -> int:
    """A blank cell with fewest digits left, -1 where none is blank."""
    best, fewest = -1, 64
    for cell in range(len(grid.assignment)):
        if grid.assignment[cell] == OPEN:
            left = how_many(candidates(grid, cell))
            if left < fewest:
                best, fewest = cell, left
            if left <= 1:
                break
    return best


@problems.implements(problems.identity, Grid)
def _identity(grid: Grid) -> np.uint64:
    """4x4: equal under renaming of the digits. Larger: under every symmetry of sudokus.

    There are twelve full 4x4 grids up to the names of the digits: told apart up to all symmetries, their
    puzzles would be too few for splits that share none.
    """
    return named_by_order(grid) if grid.shape[0] == 4 else refined(grid)


@kernel
@wrapping
def named_by_order(grid: Grid) -> np.uint64:
    """The hash of the clues' cells and digits, digits numbered in the order in which they come."""
    names = count = int64(0)
    total = np.uint64(1)
    for cell in range(len(grid.assignment)):
        value = int64(grid.assignment[cell])
        if value < 0:
            continue
        name = (names >> (4 * value)) & 15
        if name == 0:
            count += 1
            name = count
            names |= name << (4 * value)
        y, x = grid.units[cell, ROW], grid.units[cell, COLUMN]
        total += mix64(np.uint64((y * 16 + x) * 16 + name))
    return mix64(total)


@kernel
@wrapping
def refined(grid: Grid) -> np.uint64:
    """The hash by colour refinement: a cell's colour is that of its row and column, its box and its digit,
    and these are those of their cells. Equal for sudokus that differ in names of digits, order of rows,
    columns, bands and stacks, and reflection.
    """
    cells = grid.colours[4]
    for cell in range(len(grid.assignment)):
        cells[cell] = np.uint64(grid.assignment[cell] >= 0)
    total = np.uint64(0)
    for _ in range(ROUNDS):
        grid.colours[:4] = np.uint64(0)
        for cell in range(len(grid.assignment)):
            if grid.assignment[cell] != OUTSIDE:
                own = mix64(cells[cell])
                for kind in range(3):
                    grid.colours[kind, grid.units[cell, kind]] += own
                if grid.assignment[cell] >= 0:
                    grid.colours[3, grid.assignment[cell]] += own
        total = np.uint64(grid.shape[0])
        for cell in range(len(grid.assignment)):
            if grid.assignment[cell] != OUTSIDE:
                lines = mix64(grid.colours[ROW, grid.units[cell, ROW]])
                lines += mix64(grid.colours[COLUMN, grid.units[cell, COLUMN]])
                box = mix64(grid.colours[BOX, grid.units[cell, BOX]] + np.uint64(1))
                digit = np.uint64(0)
                if grid.assignment[cell] >= 0:
                    digit = mix64(grid.colours[3, grid.assignment[cell]] + np.uint64(2))
                cells[cell] = mix64(lines + np.uint64(3) * box + np.uint64(5) * digit)
                total += mix64(cells[cell])
    return mix64(total)
