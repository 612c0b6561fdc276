"""Yards as Searchformer writes them: a step names the boxes that are on no dock.

A closing then names several states, for it is open which docks are taken. Cells stand in the order of their
texts "x-y", and of the heuristic only docks without a box count (Lehnert et al. 2024, arXiv 2402.14083, and
their code, searchformer/sokoban.py).
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.tasks.sokoban.yard import (
    ALIVE,
    COLUMNS,
    COUNT,
    DOCK,
    FIRST,
    FREE,
    MOST_CELLS,
    WORKER,
    Yard,
    read_boxes,
    read_cell,
    state_of,
    write_cell,
)


@kernel
def to_open_docks(yard: Yard, boxes: Integers) -> int:
    """Sum over the boxes on no dock of the Manhattan distance to the nearest dock that has no box."""
    total, columns, count = 0, yard.rules[COLUMNS], yard.rules[COUNT]
    for k in range(count):
        nearest = MOST_CELLS
        for j in range(count if yard.cells[boxes[k], DOCK] == 0 else 0):
            dock, taken = yard.boxes[3, j], False
            for i in range(count):
                taken = taken or boxes[i] == dock
            away = abs(boxes[k] // columns - dock // columns) + abs(boxes[k] % columns - dock % columns)
            if not taken:
                nearest = min(nearest, away)
        total += nearest if nearest < MOST_CELLS else 0
    return total


@kernel
def keep_unplaced(yard: Yard, boxes: Integers) -> int:
    """Move the boxes on no dock to the front -> how many."""
    left = 0
    for k in range(yard.rules[COUNT]):
        if yard.cells[boxes[k], DOCK] == 0:
            boxes[left] = boxes[k]
            left += 1
    return left


@kernel
def shows(yard: Yard, state: int, row: Integers) -> bool:
    """Does a row name the state's boxes on no dock, each once, and no other?"""
    boxes = yard.boxes[2]
    read_boxes(yard, state, boxes)
    left = keep_unplaced(yard, boxes)
    for k in range(FIRST, len(row) - 2):
        place = 0
        while row[k] != ABSENT and place < left and boxes[place] != read_cell(yard, row[k]):
            place += 1
        if row[k] != ABSENT:
            if place == left:
                return False
            left -= 1
            boxes[place] = boxes[left]
    return left == 0


@kernel
def named(yard: Yard, row: Integers, worker: int, boxes: Integers) -> int:
    """Read the boxes that a row names -> how many, -1 if they can't be the worker's yard's on no dock."""
    count = 0
    for k in range(FIRST, len(row) - 2):
        if row[k] == ABSENT:
            continue
        box = read_cell(yard, row[k])
        if box < 0 or box == worker or yard.cells[box, FREE] == 0 or yard.cells[box, ALIVE] == 0:
            return -1
        if yard.cells[box, DOCK] == 1 or count == yard.rules[COUNT]:
            return -1
        for j in range(count):
            if boxes[j] == box:
                return -1
        boxes[count] = box
        count += 1
    return count


@kernel
def candidate(yard: Yard, row: Integers, nth: int) -> int:
    """The nth state that a row may name, or -1: the boxes that it leaves out stand on docks."""
    count, boxes = yard.rules[COUNT], yard.boxes[2]
    worker = read_cell(yard, row[WORKER])
    if worker < 0 or yard.cells[worker, FREE] == 0:
        return int64(-1)
    first = named(yard, row, worker, boxes)
    for docks in range(1 << count if first >= 0 else 0):  # those with a box, as bits
        placed = first
        for k in range(count):
            if docks >> k & 1:
                if placed >= count or yard.boxes[3, k] == worker:
                    placed = count + 1
                else:
                    boxes[placed] = yard.boxes[3, k]
                    placed += 1
        if placed == count:
            if nth == 0:
                return state_of(yard, worker, boxes)
            nth -= 1
    return int64(-1)


@kernel
def write_unplaced(yard: Yard, boxes: Integers, row: Integers) -> None:
    """Write the boxes on no dock, in the order of their texts; boxes: overwritten."""
    left = keep_unplaced(yard, boxes)
    spell(boxes, left, yard.rules[COLUMNS])
    for k in range(len(row) - 2 - FIRST):
        row[FIRST + k] = write_cell(yard, boxes[k]) if k < left else ABSENT


@kernel
def spell(cells: Integers, count: int, columns: int) -> None:
    """Sort a few cells by their texts "x-y", so that 10 comes before 2."""
    for k in range(count):
        i = k
        while i > 0 and spelled(cells[i - 1], columns) > spelled(cells[i], columns):
            cells[i - 1], cells[i] = cells[i], cells[i - 1]
            i -= 1


@kernel
def spelled(cell: int, columns: int) -> int:
    """Where a cell's text "x-y" stands among all."""
    return rank(cell % columns) * MOST_CELLS + rank(cell // columns)


@kernel
def rank(number: int) -> int:
    """Where a number from 0 to 14 stands when they are sorted as texts: 0, 1, 10, ..., 14, 2, ..., 9."""
    if number < 2:
        return number
    return number - 8 if number >= 10 else number + 5
