"""Sokoban as a search space: a state is the worker's cell and the boxes' cells, a move one step.

A state's 64-bit word has the worker in its lowest BITS bits, then the boxes in ascending order. A box on a
dead cell, from which no pushing brings it to a dock even if no other box is in the way, is never a state:
that is the deadlock test. Both heuristics are consistent: each box's Manhattan distance to its nearest dock,
and besides how far the worker is from standing beside the nearest box that is on no dock.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.search import space as spaces
from tracelab.search.interning import Interned, forget, intern, new_interned
from tracelab.tasks._symmetries import beside

HEURISTICS = ("boxes", "worker")
BOXES, WORKER_TOO = range(2)
BITS = 8  # of a cell
MOST_CELLS, MOST_BOXES = 1 << BITS, 6
HEADER = 3  # of a stored problem: rows, columns, boxes; then worker, boxes, docks, and per cell: is it free?
WORKER, FIRST = 1, 2  # columns of a row: the worker's cell, then the boxes' (creations and closings)
ROWS, COLUMNS, COUNT, STRIDE, HEURISTIC, TESTED, ROOT = range(7)
FREE, DOCK, NEAREST, ALIVE = range(4)  # of a cell: free?, a dock?, moves to the nearest dock, not dead?


class Yard(NamedTuple):
    """states: those that were met; cells: (MOST_CELLS, 4) what is known of each; boxes: (3, MOST_BOXES)
    scratch; queue: (MOST_CELLS,) scratch; rules: (7,) rows, columns, boxes, the columns of the largest yard
    (cells are written for that one), the heuristic, are deadlocks tested for, the start's state.
    """

    states: Interned
    cells: NDArray[np.int64]
    boxes: NDArray[np.int64]
    queue: NDArray[np.int64]
    rules: NDArray[np.int64]


@njit
def new_yard(capacity, stride, heuristic, tested):  # type: ignore[no-untyped-def]
    """Room for so many states."""
    rules = np.zeros(7, np.int64)
    rules[STRIDE], rules[HEURISTIC], rules[TESTED] = stride, heuristic, tested
    cells, boxes = np.zeros((MOST_CELLS, 4), np.int64), np.zeros((3, MOST_BOXES), np.int64)
    return Yard(new_interned(capacity), cells, boxes, np.zeros(MOST_CELLS, np.int64), rules)


@kernel
def look(yard, problem):  # type: ignore[no-untyped-def]
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
    for dock in docks:
        cells[dock, DOCK] = 1
    find_dead(yard, docks)


@kernel
def find_dead(yard, docks):  # type: ignore[no-untyped-def]
    """A lone box's way back: a pull brings it from c to beside c, if the worker has a cell behind that."""
    rules, cells, queue, size = yard.rules, yard.cells, yard.queue, 0
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
def free_beside(yard, cell, side):  # type: ignore[no-untyped-def]
    """The free cell on that side, or -1."""
    other = beside(yard.rules[ROWS], yard.rules[COLUMNS], cell, side)
    return other if other >= 0 and yard.cells[other, FREE] else -1


@kernel
def ascend(cells, count):  # type: ignore[no-untyped-def]
    """Sort the first `count` cells (there are few)."""
    for k in range(count):
        i = k
        while i > 0 and cells[i - 1] > cells[i]:
            cells[i - 1], cells[i] = cells[i], cells[i - 1]
            i -= 1


@kernel
def state_of(yard, worker, boxes):  # type: ignore[no-untyped-def]
    """The state with these boxes, which are sorted, or -1 if there is no room for it."""
    word, count = np.int64(0), yard.rules[COUNT]
    ascend(boxes, count)
    for k in range(count - 1, -1, -1):
        word = (word << BITS) | boxes[k]
    return intern(yard.states, (word << BITS) | worker)


@kernel
def read_boxes(yard, state, boxes):  # type: ignore[no-untyped-def]
    """Write the boxes' cells in ascending order -> the worker's cell."""
    word = yard.states.words[state]
    worker = word & (MOST_CELLS - 1)
    for k in range(yard.rules[COUNT]):
        word >>= BITS
        boxes[k] = word & (MOST_CELLS - 1)
    return worker


@kernel
def step(yard, worker, side, boxes):  # type: ignore[no-untyped-def]
    """The state after a step of the worker, or -1 if there is none; boxes: where they are, overwritten."""
    cell = free_beside(yard, worker, side)
    if cell < 0:
        return np.int64(-1)
    for k in range(yard.rules[COUNT]):
        if boxes[k] == cell:
            beyond = free_beside(yard, cell, side)
            if beyond < 0 or yard.cells[beyond, ALIVE] == 0:
                return np.int64(-1)
            for j in range(yard.rules[COUNT]):
                if boxes[j] == beyond:
                    return np.int64(-1)
            boxes[k] = beyond
            break
    return state_of(yard, cell, boxes)


@spaces.implements(spaces.pose, Yard)
def _pose(space, problem):  # type: ignore[no-untyped-def]
    forget(space.states)
    look(space, problem)
    for k in range(problem[2]):
        space.boxes[0, k] = problem[HEADER + 1 + k]
    space.rules[ROOT] = state_of(space, problem[HEADER], space.boxes[0])


@spaces.implements(spaces.capacity, Yard)
def _capacity(space):  # type: ignore[no-untyped-def]
    return len(space.states.words)


@spaces.implements(spaces.is_full, Yard)
def _is_full(space):  # type: ignore[no-untyped-def]
    return space.states.used[1] > 0


@spaces.implements(spaces.start, Yard)
def _start(space):  # type: ignore[no-untyped-def]
    return space.rules[ROOT]


@spaces.implements(spaces.is_goal, Yard)
def _is_goal(space, state):  # type: ignore[no-untyped-def]
    placed = 0
    read_boxes(space, state, space.boxes[1])
    for k in range(space.rules[COUNT]):
        placed += space.cells[space.boxes[1, k], DOCK]
    return placed == space.rules[COUNT]


@spaces.implements(spaces.heuristic, Yard)
def _heuristic(space, state):  # type: ignore[no-untyped-def]
    boxes, columns, total, walk = space.boxes[1], space.rules[COLUMNS], 0, MOST_CELLS
    worker = read_boxes(space, state, boxes)
    for k in range(space.rules[COUNT]):
        box, away = boxes[k], space.cells[boxes[k], NEAREST]
        total += away
        if away > 0:
            walk = min(walk, abs(box // columns - worker // columns) + abs(box % columns - worker % columns))
    if space.rules[HEURISTIC] == WORKER_TOO and total > 0:
        total += walk - 1
    return total


@spaces.implements(spaces.max_degree, Yard)
def _max_degree(space):  # type: ignore[no-untyped-def]
    return 4


@spaces.implements(spaces.neighbours, Yard)
def _neighbours(space, state, states, costs):  # type: ignore[no-untyped-def]
    degree = 0
    for side in range(4):
        worker = read_boxes(space, state, space.boxes[0])
        after = step(space, worker, side, space.boxes[0])
        if after >= 0:
            states[degree], costs[degree] = after, 1
            degree += 1
    return degree


@spaces.implements(spaces.by_moves, Yard)
def _by_moves(space):  # type: ignore[no-untyped-def]
    return True


@spaces.implements(spaces.follow, Yard)
def _follow(space, state, row):  # type: ignore[no-untyped-def]
    """The worker's cell says which way it went."""
    worker = read_boxes(space, state, space.boxes[0])
    target = read_cell(space, row[WORKER])
    for side in range(4):
        if target >= 0 and beside(space.rules[ROWS], space.rules[COLUMNS], worker, side) == target:
            return step(space, worker, side, space.boxes[0])
    return np.int64(-1)


@spaces.implements(spaces.write_move, Yard)
def _write_move(space, state, after, row):  # type: ignore[no-untyped-def]
    row[WORKER] = write_cell(space, read_boxes(space, after, space.boxes[1]))


@kernel
def read_cell(yard, operand):  # type: ignore[no-untyped-def]
    """A written cell in this yard, or -1."""
    y, x = operand // yard.rules[STRIDE], operand % yard.rules[STRIDE]
    inside = operand >= 0 and y < yard.rules[ROWS] and x < yard.rules[COLUMNS]
    return y * yard.rules[COLUMNS] + x if inside else -1


@kernel
def write_cell(yard, cell):  # type: ignore[no-untyped-def]
    """A cell as it is written: numbered as in the largest yard."""
    return cell // yard.rules[COLUMNS] * yard.rules[STRIDE] + cell % yard.rules[COLUMNS]


@spaces.implements(spaces.read_state, Yard)
def _read_state(space, row, column):  # type: ignore[no-untyped-def]
    """Worker and all boxes, on free cells that are no two the same, no box on a dead one."""
    count, boxes, worker = space.rules[COUNT], space.boxes[2], read_cell(space, row[WORKER])
    if worker < 0 or space.cells[worker, FREE] == 0:
        return np.int64(-1)
    for k in range(FIRST, len(row) - 2):
        if (row[k] == ABSENT) != (k - FIRST >= count):
            return np.int64(-1)
        if row[k] != ABSENT:
            box = read_cell(space, row[k])
            if box < 0 or box == worker or space.cells[box, FREE] == 0 or space.cells[box, ALIVE] == 0:
                return np.int64(-1)
            for j in range(k - FIRST):
                if boxes[j] == box:
                    return np.int64(-1)
            boxes[k - FIRST] = box
    return state_of(space, worker, boxes)


@spaces.implements(spaces.write_state, Yard)
def _write_state(space, state, row, column):  # type: ignore[no-untyped-def]
    row[WORKER] = write_cell(space, read_boxes(space, state, space.boxes[1]))
    for k in range(len(row) - 2 - FIRST):
        row[FIRST + k] = write_cell(space, space.boxes[1, k]) if k < space.rules[COUNT] else ABSENT
