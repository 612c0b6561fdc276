"""Drawing a sliding-tile puzzle that belongs to a split; compiled.

Two puzzles are the same if one is the other turned or mirrored. The tiles' names count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.rng import below, mix64, shuffle
from tracelab.core.types import MAX_REDRAWS
from tracelab.tasks.shared.symmetries import SYMMETRIES, beside, moved
from tracelab.tasks.sliding_tiles.space import HEADER, MOST_CELLS

# five: rows, columns, is the goal ordered?, fewest and most moves of a scramble (-1: any board)
Knobs = tuple[int, ...]


@kernel
@wrapping
def canonical_hash(rows: int, columns: int, cells: Integers, goal: Integers, scratch: Integers) -> np.uint64:
    """Equal for puzzles that are the same. scratch: (2, MOST_CELLS)."""
    count, least = rows * columns, np.uint64(0xFFFFFFFFFFFFFFFF)
    for symmetry in range(SYMMETRIES):
        for k in range(count):
            place = moved(rows, columns, k, symmetry)
            scratch[0, place], scratch[1, place] = cells[k], goal[k]
        word = np.uint64(columns if symmetry & 1 else rows)
        for k in range(count):
            word = mix64(word * np.uint64(256) + np.uint64(16 * scratch[0, k] + scratch[1, k]))
        least = min(least, word)
    return least


@kernel
def scramble(rows: int, columns: int, moves: int, random: Random, cells: Integers) -> None:
    """So many random moves, none of which takes back the one before."""
    count = rows * columns
    gap, before = 0, -1
    for k in range(count):
        if cells[k] == 0:
            gap = k
    for _ in range(moves):
        chosen, seen = -1, 0
        for side in range(4):
            cell = beside(rows, columns, gap, side)
            if cell >= 0 and cell != before:
                seen += 1
                if below(random, seen) == 0:
                    chosen = cell
        cells[gap], cells[chosen] = cells[chosen], 0
        gap, before = chosen, gap


@kernel
def parity(cells: Integers, count: int, columns: int) -> int:
    """0 or 1, the same for all boards that moves lead to: inversions of tiles, and rows below the gap."""
    odd, gap = 0, 0
    for i in range(count):
        if cells[i] == 0:
            gap = i
        for j in range(i):
            odd += cells[j] > cells[i] > 0
    below_gap = (count - 1) // columns - gap // columns
    return (odd + below_gap * (columns - 1)) % 2  # a tile that goes up passes columns - 1 others


@kernel
def arrange(count: int, columns: int, random: Random, goal: Integers, cells: Integers) -> None:
    """One of the boards that lead to the goal, all alike likely."""
    shuffle(random, cells[:count])
    if parity(cells, count, columns) != parity(goal, count, columns):
        first = 0 if cells[0] > 0 and cells[1] > 0 else count - 2
        cells[first], cells[first + 1] = cells[first + 1], cells[first]


@njit
def draw_problems(
    knobs: Knobs, low: int, high: int, bins: int, keys: Words
) -> tuple[int, NDArray[np.int16], Words]:
    """One problem per key -> (first key that failed or -1, (n, HEADER + 2 * cells) problems, identities)"""
    rows, columns, ordered, fewest, most = knobs
    count, n = rows * columns, len(keys)
    problems = np.empty((n, HEADER + 2 * count), np.int16)
    identities = np.empty(n, np.uint64)
    cells, goal = np.empty((2, MOST_CELLS), np.int64)
    scratch, random = np.empty((2, MOST_CELLS), np.int64), np.empty(1, np.uint64)
    for i in range(n):
        random[0] = keys[i]
        found = False
        for _ in range(MAX_REDRAWS):
            for k in range(count):
                goal[k] = (k + 1) % count
            if not ordered:
                shuffle(random, goal[:count])
            cells[:count] = goal[:count]
            if fewest < 0:
                arrange(count, columns, random, goal, cells)
            else:
                scramble(rows, columns, fewest + below(random, most - fewest + 1), random, cells)
            identities[i] = canonical_hash(rows, columns, cells, goal, scratch)
            solved = (cells[:count] == goal[:count]).all()
            if not solved and low <= identities[i] % np.uint64(bins) < high:
                found = True
                break
        if not found:
            return i, problems, identities
        problems[i, 0], problems[i, 1] = rows, columns
        problems[i, HEADER : HEADER + count] = cells[:count]
        problems[i, HEADER + count :] = goal[:count]
    return -1, problems, identities
