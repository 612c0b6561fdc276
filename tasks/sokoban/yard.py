"""A Sokoban yard as compiled code knows it: what is free, the docks, how near they are, what is dead.

A box on a dead cell, from which no pushing brings it to a dock even if no other box is in the way, is never
part of a state: that is the deadlock test. Searchformer's is weaker: a cell is dead there if it is no dock
and walls leave a box on it no way to be pushed, up and down or left and right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first.interning import Interned, intern, interning, new_interned
from tracelab.tasks.shared.sorting import ascend
from tracelab.tasks.shared.symmetries import beside

BITS = 8  # of a cell
MOST_CELLS, MOST_BOXES = 1 << BITS, 6
HEADER = 3  # of a stored problem: rows, columns, boxes; then worker, boxes, docks, and per cell: is it free?
WORKER, FIRST = 1, 2  # columns of a row: the worker's cell, then the boxes' (creations and closings)
ROWS, COLUMNS, COUNT, STRIDE, HEURISTIC, TESTED, OMITS, ROOT = range(8)
NO_TEST, DEAD_CELLS, CORNERS = range(3)  # which cells a deadlock test calls dead
FREE, DOCK, NEAREST, ALIVE = range(4)  # of a cell: free?, a dock?, moves to the nearest dock, not dead?


@interning
class Yard(NamedTuple):
    """states: those that were met; cells: (MOST_CELLS, 4) what is known of each; boxes: (4, MOST_BOXES)
    three rows of scratch, then the docks; queue: (MOST_CELLS,) scratch; rules: (8,) rows, columns, boxes, the
    columns of the largest yard (cells are written for that one), the heuristic, the deadlock test, are boxes
    on docks left out of what is written, the start's state.
    """

    states: Interned
    cells: NDArray[np.int64]
    boxes: NDArray[np.int64]
    queue: NDArray[np.int64]
    rules: NDArray[np.int64]


@njit
def new_yard(capacity: int, stride: int, heuristic: int, tested: int, omits: bool) -> Yard:
    """Room for so many states."""
    rules = np.zeros(8, np.int64)
    rules[STRIDE], rules[HEURISTIC], rules[TESTED], rules[OMITS] = stride, heuristic, tested, omits
    cells, boxes = np.zeros((MOST_CELLS, 4), np.int64), np.zeros((4, MOST_BOXES), np.int64)
    return Yard(new_interned(capacity), cells, boxes, np.zeros(MOST_CELLS, np.int64), rules)


@kernel
def look(yard: Yard, problem: Integers) -> None:
    """Learn a stored problem's yard: what is free, the docks, how near they are, what is dead."""
    rules, cells, count = yard.rules, yard.cells, problem[2]
    rules[ROWS], rules[COLUMNS], rules[COUNT] = problem[0], problem[1], count
    size, columns = problem[0] * problem[1], problem[1]
    docks = problem[HEADER + 1 + count : HEADER + 1 + 2 * count]
    for c in range(size):
        cells[c, FREE], cells[c, DOCK] = problem[HEADER + 1 + 2 * count + c], 0
        cells[c, NEAREST] = size
        for dock in docks:
            away = abs(c // columns - dock // columns) + abs(c % columns - dock % columns)
            cells[c, NEAREST] = min(cells[c, NEAREST], away)
    for k in range(count):
        cells[docks[k], DOCK], yard.boxes[3, k] = 1, docks[k]
    if rules[TESTED] == CORNERS:
        find_corners(yard)
    else:
        find_dead(yard, docks)


@kernel
def find_corners(yard: Yard) -> None:
    """Where walls alone let no box be pushed, docks apart."""
    for c in range(yard.rules[ROWS] * yard.rules[COLUMNS]):
        upright = free_beside(yard, c, 0) >= 0 and free_beside(yard, c, 1) >= 0
        level = free_beside(yard, c, 2) >= 0 and free_beside(yard, c, 3) >= 0
        yard.cells[c, ALIVE] = yard.cells[c, DOCK] == 1 or upright or level


@kernel
def find_dead(yard: Yard, docks: Integers) -> None:
    """A lone box's way back: a pull brings it from c to beside c, if the worker has a cell behind that."""
    rules, cells, queue = yard.rules, yard.cells, yard.queue
    size = 0
    for c in range(rules[ROWS] * rules[COLUMNS]):
        cells[c, ALIVE] = 1 - rules[TESTED]
    for dock in docks if rules[TESTED] else docks[:0]:
        if cells[dock, ALIVE] == 0:
            cells[dock, ALIVE], queue[size] = 1, dock
            size += 1
    head = 0
    while head < size:
        c = queue[head]
        head += 1
        for side in range(4):
            after = free_beside(yard, c, side)
            if after >= 0 and cells[after, ALIVE] == 0 and free_beside(yard, after, side) >= 0:
                cells[after, ALIVE], queue[size] = 1, after
                size += 1


@kernel
def free_beside(yard: Yard, cell: int, side: int) -> int:
    """The free cell on that side, or -1."""
    other = beside(yard.rules[ROWS], yard.rules[COLUMNS], cell, side)
    return other if other >= 0 and yard.cells[other, FREE] else -1


@kernel
def read_cell(yard: Yard, operand: int) -> int:
    """A written cell in this yard, or -1."""
    y, x = operand // yard.rules[STRIDE], operand % yard.rules[STRIDE]
    inside = operand >= 0 and y < yard.rules[ROWS] and x < yard.rules[COLUMNS]
    return y * yard.rules[COLUMNS] + x if inside else -1


@kernel
def write_cell(yard: Yard, cell: int) -> int:
    """A cell as it is written: numbered as in the largest yard."""
    return cell // yard.rules[COLUMNS] * yard.rules[STRIDE] + cell % yard.rules[COLUMNS]


@kernel
def state_of(yard: Yard, worker: int, boxes: Integers) -> int:
    """The state with these boxes, which are sorted, or -1 if there is no room for it."""
    word, count = int64(0), yard.rules[COUNT]
    ascend(boxes, count)
    for k in range(count - 1, -1, -1):
        word = (word << BITS) | boxes[k]
    return intern(yard.states, (word << BITS) | worker)


@kernel
def read_boxes(yard: Yard, state: int, boxes: Integers) -> int:
    """Write the boxes' cells in ascending order -> the worker's cell."""
    word = yard.states.words[state]
    worker = word & (MOST_CELLS - 1)
    for k in range(yard.rules[COUNT]):
        word >>= BITS
        boxes[k] = word & (MOST_CELLS - 1)
    return worker
