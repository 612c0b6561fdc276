"""Sliding tiles as a search space: a state is a board, a move slides the tile that is named into the gap.

A state's 64-bit word has four bits a cell, row by row; 0 is the gap. Both heuristics are consistent: the
Manhattan distance of all tiles, and with linear conflicts (Hansson, Mayer and Yung 1992) two more for each
tile that has to leave its goal line for others to pass.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first import space as spaces
from tracelab.search.best_first.interning import Interned, forget, intern, interning, new_interned
from tracelab.tasks.shared.symmetries import beside

HEURISTICS = ("manhattan", "linear_conflict", "none")
MANHATTAN, LINEAR_CONFLICT, NONE = range(3)
MOST_CELLS = 16
HEADER = 2  # of a stored problem: rows, columns; then the start's cells and the goal's
TILE, FIRST = 1, 2  # columns of a row: the tile that slides (creations and solutions), then the cells
ROWS, COLUMNS, HEURISTIC, NAMED, ROOT, GOAL = range(6)
TARGET, SCRATCH = 2, 3  # rows of Board.cells


@interning
class Board(NamedTuple):
    """states: the boards that were met; cells: (4, MOST_CELLS): two boards, scratch, of each tile
    the cell that it has in the goal, scratch; rules: (6,) rows, columns, the
    heuristic, do creations name the board, and of the problem at hand the start's state and the goal's word.
    """

    states: Interned
    cells: NDArray[np.int64]
    rules: NDArray[np.int64]


@njit
def new_board(capacity: int, heuristic: int, named: bool) -> Board:
    """Room for so many states. named: do creations name the board?"""
    rules = np.zeros(6, np.int64)
    rules[HEURISTIC], rules[NAMED] = heuristic, named
    return Board(new_interned(capacity), np.zeros((4, MOST_CELLS), np.int64), rules)


@kernel
def word_of(cells: Integers, count: int) -> int:
    """A board's 64-bit word."""
    word = int64(0)
    for k in range(count):
        word |= int64(cells[k]) << int64(4 * k)
    return word


@kernel
def read_cells(word: int, count: int, cells: Integers) -> int:
    """Write a board's cells -> the gap's place."""
    gap = 0
    for k in range(count):
        cells[k] = (word >> int64(4 * k)) & 15
        if cells[k] == 0:
            gap = k
    return gap


@kernel
def slid(cells: Integers, count: int, gap: int, cell: int) -> int:
    """The word of the board after the tile at `cell` slid into the gap."""
    word = word_of(cells, count)
    tile = int64(cells[cell])
    return word + (tile << int64(4 * gap)) - (tile << int64(4 * cell))


@kernel
def out_of_order(
    cells: Integers,
    target: Integers,
    first: int,
    stride: int,
    length: int,
    columns: int,
    rowwise: bool,
    ends: Integers,
) -> int:
    """How many tiles of a line, of those whose goal is in it, must leave it: all but the longest ordered run.

    ends: scratch; ends[i]: the longest run that ends with the line's i-th tile.
    """
    most, tiles = 0, 0
    for i in range(length):
        ends[i] = 0
        tile = cells[first + i * stride]
        goal = target[tile]
        here = first // columns == goal // columns if rowwise else first % columns == goal % columns
        if tile == 0 or not here:
            continue
        tiles += 1
        ends[i] = 1
        for j in range(i):
            if ends[j] > 0 and target[cells[first + j * stride]] < goal:
                ends[i] = max(ends[i], ends[j] + 1)
        most = max(most, ends[i])
    return tiles - most


@kernel
def distance(
    rows: int, columns: int, cells: Integers, target: Integers, heuristic: int, ends: Integers
) -> int:
    """A lower bound on the moves to the goal. target: the goal's cell of each tile; ends: scratch."""
    total = 0
    for k in range(rows * columns if heuristic != NONE else 0):
        goal = target[cells[k]]
        if cells[k] > 0:
            total += abs(k // columns - goal // columns) + abs(k % columns - goal % columns)
    if heuristic == LINEAR_CONFLICT:
        for row in range(rows):
            total += 2 * out_of_order(cells, target, row * columns, 1, columns, columns, True, ends)
        for column in range(columns):
            total += 2 * out_of_order(cells, target, column, columns, rows, columns, False, ends)
    return total


@spaces.implements(spaces.pose, Board)
def _pose(space: Board, problem: Integers) -> None:
    forget(space.states)
    rules, count = space.rules, problem[0] * problem[1]
    rules[ROWS], rules[COLUMNS] = problem[0], problem[1]
    rules[ROOT] = intern(space.states, word_of(problem[HEADER:], count))
    rules[GOAL] = word_of(problem[HEADER + count :], count)
    for k in range(count):
        space.cells[TARGET, problem[HEADER + count + k]] = k


@spaces.implements(spaces.start, Board)
def _start(space: Board) -> int:
    return space.rules[ROOT]


@spaces.implements(spaces.is_goal, Board)
def _is_goal(space: Board, state: int) -> bool:
    return space.states.words[state] == space.rules[GOAL]


@spaces.implements(spaces.heuristic, Board)
def _heuristic(space: Board, state: int) -> int:
    rules, cells = space.rules, space.cells[1]
    read_cells(space.states.words[state], rules[ROWS] * rules[COLUMNS], cells)
    target, ends = space.cells[TARGET], space.cells[SCRATCH]
    return distance(rules[ROWS], rules[COLUMNS], cells, target, rules[HEURISTIC], ends)


@spaces.implements(spaces.max_degree, Board)
def _max_degree(space: Board) -> int:
    return 4


@spaces.implements(spaces.neighbours, Board)
def _neighbours(space: Board, state: int, states: Integers, costs: Integers) -> int:
    rules, cells = space.rules, space.cells[0]
    degree = 0
    count = rules[ROWS] * rules[COLUMNS]
    gap = read_cells(space.states.words[state], count, cells)
    for side in range(4):
        cell = beside(rules[ROWS], rules[COLUMNS], gap, side)
        if cell >= 0:
            states[degree], costs[degree] = intern(space.states, slid(cells, count, gap, cell)), 1
            degree += states[degree] >= 0
    return degree


@spaces.implements(spaces.by_moves, Board)
def _by_moves(space: Board) -> bool:
    return True


@spaces.implements(spaces.names_created, Board)
def _names_created(space: Board) -> bool:
    return space.rules[NAMED] == 1


@spaces.implements(spaces.follow, Board)
def _follow(space: Board, state: int, row: Integers) -> int:
    """The tile must stand beside the gap."""
    rules, cells = space.rules, space.cells[0]
    count = rules[ROWS] * rules[COLUMNS]
    gap = read_cells(space.states.words[state], count, cells)
    for side in range(4):
        cell = beside(rules[ROWS], rules[COLUMNS], gap, side)
        if cell >= 0 and cells[cell] == row[TILE]:
            return intern(space.states, slid(cells, count, gap, cell))
    return int64(-1)


@spaces.implements(spaces.write_move, Board)
def _write_move(space: Board, state: int, after: int, row: Integers) -> None:
    """The tile that stands in the one's gap in the other."""
    rules = space.rules
    gap = read_cells(space.states.words[state], rules[ROWS] * rules[COLUMNS], space.cells[0])
    row[TILE] = (space.states.words[after] >> int64(4 * gap)) & 15
    if space.rules[NAMED] == 0:
        row[FIRST : len(row) - 2] = ABSENT


@spaces.implements(spaces.read_state, Board)
def _read_state(space: Board, row: Integers, column: int) -> int:
    """All cells of this shape, each tile once."""
    count, seen = space.rules[ROWS] * space.rules[COLUMNS], 0
    for k in range(FIRST, len(row) - 2):
        tile = row[k]
        if (tile == ABSENT) != (k - FIRST >= count):
            return int64(-1)
        if tile != ABSENT:
            if tile >= count or seen >> tile & 1:
                return int64(-1)
            seen |= 1 << tile
    return intern(space.states, word_of(row[FIRST:], count))


@spaces.implements(spaces.write_state, Board)
def _write_state(space: Board, state: int, row: Integers, column: int) -> None:
    row[TILE] = ABSENT
    count = space.rules[ROWS] * space.rules[COLUMNS]
    read_cells(space.states.words[state], count, space.cells[0])
    for k in range(len(row) - 2 - FIRST):
        row[FIRST + k] = space.cells[0, k] if k < count else ABSENT
