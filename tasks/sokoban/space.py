"""Sokoban as a search space: a state is the worker's cell and the boxes' cells, a move one step.

A state's 64-bit word has the worker in its lowest BITS bits, then the boxes in ascending order. Both
heuristics are consistent: each box's Manhattan distance to its nearest dock, and besides how far the worker
is from standing beside the nearest box that is on no dock.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.search.best_first import space as spaces
from tracelab.search.best_first.interning import forget, intern
from tracelab.tasks.shared.sorting import ascend
from tracelab.tasks.shared.symmetries import beside
from tracelab.tasks.sokoban.yard import (
    ALIVE,
    BITS,
    COLUMNS,
    COUNT,
    DOCK,
    FIRST,
    FREE,
    HEADER,
    HEURISTIC,
    MOST_CELLS,
    NEAREST,
    ROOT,
    ROWS,
    WORKER,
    Yard,
    free_beside,
    look,
    read_cell,
    write_cell,
)

HEURISTICS = ("boxes", "worker")
BOXES, WORKER_TOO = range(2)


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


@kernel
def step(yard: Yard, worker: int, side: int, boxes: Integers) -> int:
    """The state after a step of the worker, or -1 if there is none; boxes: where they are, overwritten."""
    cell = free_beside(yard, worker, side)
    if cell < 0:
        return int64(-1)
    for k in range(yard.rules[COUNT]):
        if boxes[k] == cell:
            beyond = free_beside(yard, cell, side)
            if beyond < 0 or yard.cells[beyond, ALIVE] == 0:
                return int64(-1)
            for j in range(yard.rules[COUNT]):
                if boxes[j] == beyond:
                    return int64(-1)
            boxes[k] = beyond
            break
    return state_of(yard, cell, boxes)


@spaces.implements(spaces.pose, Yard)
def _pose(space: Yard, problem: Integers) -> None:
    forget(space.states)
    look(space, problem)
    for k in range(problem[2]):
        space.boxes[0, k] = problem[HEADER + 1 + k]
    space.rules[ROOT] = state_of(space, problem[HEADER], space.boxes[0])


@spaces.implements(spaces.start, Yard)
def _start(space: Yard) -> int:
    return space.rules[ROOT]


@spaces.implements(spaces.is_goal, Yard)
def _is_goal(space: Yard, state: int) -> bool:
    placed = 0
    read_boxes(space, state, space.boxes[1])
    for k in range(space.rules[COUNT]):
        placed += space.cells[space.boxes[1, k], DOCK]
    return placed == space.rules[COUNT]


@spaces.implements(spaces.heuristic, Yard)
def _heuristic(space: Yard, state: int) -> int:
    boxes, columns = space.boxes[1], space.rules[COLUMNS]
    total, walk = 0, MOST_CELLS
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
def _max_degree(space: Yard) -> int:
    return 4


@spaces.implements(spaces.neighbours, Yard)
def _neighbours(space: Yard, state: int, states: Integers, costs: Integers) -> int:
    degree = 0
    for side in range(4):
        worker = read_boxes(space, state, space.boxes[0])
        after = step(space, worker, side, space.boxes[0])
        if after >= 0:
            states[degree], costs[degree] = after, 1
            degree += 1
    return degree


@spaces.implements(spaces.by_moves, Yard)
def _by_moves(space: Yard) -> bool:
    return True


@spaces.implements(spaces.follow, Yard)
def _follow(space: Yard, state: int, row: Integers) -> int:
    """The worker's cell says which way it went."""
    worker = read_boxes(space, state, space.boxes[0])
    target = read_cell(space, row[WORKER])
    for side in range(4):
        if target >= 0 and beside(space.rules[ROWS], space.rules[COLUMNS], worker, side) == target:
            return step(space, worker, side, space.boxes[0])
    return int64(-1)


@spaces.implements(spaces.write_move, Yard)
def _write_move(space: Yard, state: int, after: int, row: Integers) -> None:
    row[WORKER] = write_cell(space, read_boxes(space, after, space.boxes[1]))


@spaces.implements(spaces.read_state, Yard)
def _read_state(space: Yard, row: Integers, column: int) -> int:
    """Worker and all boxes, on free cells that are no two the same, no box on a dead one."""
    count, boxes = space.rules[COUNT], space.boxes[2]
    worker = read_cell(space, row[WORKER])
    if worker < 0 or space.cells[worker, FREE] == 0:
        return int64(-1)
    for k in range(FIRST, len(row) - 2):
        if (row[k] == ABSENT) != (k - FIRST >= count):
            return int64(-1)
        if row[k] != ABSENT:
            box = read_cell(space, row[k])
            if box < 0 or box == worker or space.cells[box, FREE] == 0 or space.cells[box, ALIVE] == 0:
                return int64(-1)
            for j in range(k - FIRST):
                if boxes[j] == box:
                    return int64(-1)
            boxes[k - FIRST] = box
    return state_of(space, worker, boxes)


@spaces.implements(spaces.write_state, Yard)
def _write_state(space: Yard, state: int, row: Integers, column: int) -> None:
    row[WORKER] = write_cell(space, read_boxes(space, state, space.boxes[1]))
    for k in range(len(row) - 2 - FIRST):
        row[FIRST + k] = write_cell(space, space.boxes[1, k]) if k < space.rules[COUNT] else ABSENT
