"""Drawing a Sokoban problem that belongs to a split; compiled.

Boxes are drawn on the docks and pulled away from them, so that pushing can bring them back: each pull is one
of those that the worker can get to. Two problems are the same if one is the other turned or mirrored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.rng import below, mix64, shuffle
from tracelab.core.types import MAX_REDRAWS
from tracelab.tasks.shared.sorting import ascend
from tracelab.tasks.shared.symmetries import SYMMETRIES, moved
from tracelab.tasks.sokoban.yard import FREE, HEADER, MOST_CELLS, Yard, free_beside, new_yard

Knobs = tuple[int, ...]  # six: rows, columns, boxes, inner walls, fewest and most pulls


@kernel
@wrapping
def canonical_hash(problem: Integers, hashes: Integers) -> np.uint64:
    """Equal for problems that are the same. hashes: scratch, (MOST_CELLS,)."""
    rows, columns, count = problem[0], problem[1], problem[2]
    least = np.uint64(0xFFFFFFFFFFFFFFFF)
    for symmetry in range(SYMMETRIES):
        for c in range(rows * columns):
            hashes[moved(rows, columns, c, symmetry)] = problem[HEADER + 1 + 2 * count + c]
        hashes[moved(rows, columns, problem[HEADER], symmetry)] += 2
        for k in range(count):
            hashes[moved(rows, columns, problem[HEADER + 1 + k], symmetry)] += 4
            hashes[moved(rows, columns, problem[HEADER + 1 + count + k], symmetry)] += 8
        word = np.uint64(columns if symmetry & 1 else rows)
        for c in range(rows * columns):
            word = mix64(word * np.uint64(16) + np.uint64(hashes[c]))
        least = min(least, word)
    return least


@kernel
def reach(yard: Yard, worker: int, boxes: Integers, count: int, seen: Integers) -> int:
    """Mark in `seen` (MOST_CELLS,) the cells that the worker can walk to -> how many."""
    seen[:] = 0
    for k in range(count):
        seen[boxes[k]] = 2
    queue = yard.queue
    head, size = 0, 1
    queue[0], seen[worker] = worker, 1
    while head < size:
        for side in range(4):
            after = free_beside(yard, queue[head], side)
            if after >= 0 and seen[after] == 0:
                seen[after], queue[size] = 1, after
                size += 1
        head += 1
    for k in range(count):
        seen[boxes[k]] = 0
    return size


@kernel
def pull(yard: Yard, random: Random, boxes: Integers, count: int, seen: Integers) -> int:
    """One of the pulls within reach, all alike likely -> the worker's cell after it, or -1 for none."""
    chosen = side_chosen = 0
    box = -1
    for k in range(count):
        for side in range(4):
            here = free_beside(yard, boxes[k], side)
            there = free_beside(yard, here, side) if here >= 0 else -1
            if there < 0 or seen[here] == 0:
                continue
            taken = False
            for j in range(count):
                taken = taken or boxes[j] == there
            if not taken:
                chosen += 1
                if below(random, chosen) == 0:
                    box, side_chosen = k, side
    if box < 0:
        return -1
    boxes[box] = free_beside(yard, boxes[box], side_chosen)
    return free_beside(yard, boxes[box], side_chosen)


@kernel
def draw_problem(
    knobs: Knobs, random: Random, problem: Integers, places: Integers, yard: Yard, seen: Integers
) -> bool:
    """Walls, docks, boxes pulled away from them and a worker -> was there a box to push?"""
    rows, columns, count, walls, fewest, most = knobs
    problem[0], problem[1], problem[2] = rows, columns, count
    boxes = problem[HEADER + 1 : HEADER + 1 + count]
    docks = problem[HEADER + 1 + count : HEADER + 1 + 2 * count]
    cells, inner = problem[HEADER + 1 + 2 * count :], 0
    for c in range(rows * columns):
        y, x = c // columns, c % columns
        cells[c] = 0 < y < rows - 1 and 0 < x < columns - 1
        if cells[c]:
            places[inner] = c
            inner += 1
    shuffle(random, places[:inner])
    for k in range(walls):
        cells[places[k]] = 0
    for k in range(count):
        docks[k] = boxes[k] = places[walls + k]
    worker = places[walls + count]
    for c in range(rows * columns):
        yard.cells[c, FREE] = cells[c]
    for _ in range(fewest + below(random, most - fewest + 1)):
        reach(yard, worker, boxes, count, seen)
        after = pull(yard, random, boxes, count, seen)
        if after < 0:
            return False
        worker = after
    free = reach(yard, worker, boxes, count, seen)
    problem[HEADER] = yard.queue[below(random, free)]
    ascend(boxes, count)
    ascend(docks, count)
    placed = 0
    for k in range(count):
        placed += boxes[k] == docks[k]
    return placed < count


@njit
def draw_problems(
    knobs: Knobs, low: int, high: int, bins: int, keys: Words
) -> tuple[int, NDArray[np.int16], Words]:
    """One problem per key -> (first key that failed or -1, (n, size) problems, identities)"""
    rows, columns, count = knobs[0], knobs[1], knobs[2]
    n, size = len(keys), HEADER + 1 + 2 * count + rows * columns
    problems, identities = np.empty((n, size), np.int16), np.empty(n, np.uint64)
    yard, random = new_yard(1, columns, 0, 0, False), np.empty(1, np.uint64)
    yard.rules[0], yard.rules[1], yard.rules[2] = rows, columns, count
    places, seen, hashes = np.empty((3, MOST_CELLS), np.int64)
    for i in range(n):
        random[0] = keys[i]
        found = False
        for _ in range(MAX_REDRAWS):
            if draw_problem(knobs, random, problems[i], places, yard, seen):
                identities[i] = canonical_hash(problems[i], hashes)
                if low <= identities[i] % np.uint64(bins) < high:
                    found = True
                    break
        if not found:
            return i, problems, identities
    return -1, problems, identities
