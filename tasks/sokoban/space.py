"""Sokoban as a search space: a state is the worker's cell and the boxes' cells, a move one step.

A state's 64-bit word has the worker in its lowest BITS bits, then the boxes in ascending order. All
heuristics are lower bounds. Each box's Manhattan distance to its nearest dock (boxes) is consistent. With,
besides, how far the worker is from standing beside the nearest box that is on no dock (worker), it is so for
one box alone: a push of another off its dock may lower it by more than 1. So may it open_docks, which is
Searchformer's.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.search.best_first import space as spaces
from tracelab.search.best_first.interning import forget
from tracelab.tasks.shared.symmetries import beside
from tracelab.tasks.sokoban.unplaced import candidate, shows, to_open_docks, write_unplaced
from tracelab.tasks.sokoban.yard import (
    ALIVE,
    COLUMNS,
    COUNT,
    DOCK,
    FIRST,
    FREE,
    HEADER,
    HEURISTIC,
    MOST_CELLS,
    NEAREST,
    OMITS,
    ROOT,
    ROWS,
    WORKER,
    Yard,
    free_beside,
    look,
    read_boxes,
    read_cell,
    state_of,
    write_cell,
)

HEURISTICS = ("boxes", "worker", "open_docks")
BOXES, WORKER_TOO, OPEN_DOCKS = range(3)


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
    if space.rules[HEURISTIC] == OPEN_DOCKS:
        return to_open_docks(space, boxes)
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


@spaces.implements(spaces.names_created, Yard)
def _names_created(space: Yard) -> bool:
    return space.rules[OMITS] == 0


@spaces.implements(spaces.names_start, Yard)
def _names_start(space: Yard) -> bool:
    return space.rules[OMITS] == 1


@spaces.implements(spaces.follow, Yard)
def _follow(space: Yard, state: int, row: Integers) -> int:
    """The worker's cell says which way it went; a creation's boxes must be where they are then."""
    target, root = read_cell(space, row[WORKER]), space.rules[ROOT]
    worker = read_boxes(space, state if state >= 0 else root, space.boxes[0])
    if state < 0:
        return root if target == worker else int64(-1)
    for side in range(4):
        if target >= 0 and beside(space.rules[ROWS], space.rules[COLUMNS], worker, side) == target:
            after = step(space, worker, side, space.boxes[0])
            creates = after >= 0 and space.rules[OMITS] == 1 and len(row) > FIRST
            return int64(-1) if creates and not shows(space, after, row) else after
    return int64(-1)


@spaces.implements(spaces.write_move, Yard)
def _write_move(space: Yard, state: int, after: int, row: Integers) -> None:
    row[WORKER] = write_cell(space, read_boxes(space, after, space.boxes[1]))


@spaces.implements(spaces.read_state, Yard)
def _read_state(space: Yard, row: Integers, column: int) -> int:
    """Worker and all boxes, on free cells that are no two the same, no box on a dead one."""
    if space.rules[OMITS] == 1:
        return candidate(space, row, 0)
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


@spaces.implements(spaces.read_other, Yard)
def _read_other(space: Yard, row: Integers, k: int) -> int:
    return candidate(space, row, k + 1) if space.rules[OMITS] == 1 else int64(-1)


@spaces.implements(spaces.write_state, Yard)
def _write_state(space: Yard, state: int, row: Integers, column: int) -> None:
    row[WORKER] = write_cell(space, read_boxes(space, state, space.boxes[1]))
    if space.rules[OMITS] == 1:
        write_unplaced(space, space.boxes[1], row)
        return
    for k in range(len(row) - 2 - FIRST):
        row[FIRST + k] = write_cell(space, space.boxes[1, k]) if k < space.rules[COUNT] else ABSENT
