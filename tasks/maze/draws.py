"""Drawing a maze problem that belongs to a split: layout, start and goal, canonical hash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.rng import below, mix64
from tracelab.core.types import MAX_REDRAWS
from tracelab.tasks.maze.grid import FREE_CELL, Grid, flood
from tracelab.tasks.maze.layouts import SEARCHFORMER, Knobs, draw_layout

PAIRS = 100  # start and goal drawn per layout before another layout is drawn


@njit
def draw_problem(
    knobs: Knobs,
    low: int,
    high: int,
    bins: int,
    hashes: Words,
    random: Random,
    cells: NDArray[np.int32],
    inverse: NDArray[np.int32],
) -> tuple[int, int, np.uint64]:
    """Draw a maze, start and goal whose canonical hash falls into the split's bins.

    cells, inverse: Grid's tables, overwritten. -> (start, goal, hash); start is -1 if MAX_REDRAWS
    draws found none.
    """
    n = len(cells)
    free, places = np.empty(n, np.uint8), np.empty(n, np.int64)
    distances, queue = np.empty(n, np.int32), np.empty(n, np.int32)
    for _ in range(MAX_REDRAWS):
        draw_layout(knobs, random, free)
        count = 0
        for c in range(n):
            places[count] = c
            count += free[c]
            cells[c, FREE_CELL] = free[c]
        start, goal = draw_pair(knobs, random, places[:count], cells, inverse, distances, queue)
        if start < 0:
            continue
        identity = canonical_hash(hashes, free, start, goal)
        if low <= identity % np.uint64(bins) < high:
            return start, goal, identity
    return -1, -1, np.uint64(0)


@kernel
def draw_pair(
    knobs: Knobs,
    random: Random,
    places: Integers,
    cells: NDArray[np.int32],
    inverse: NDArray[np.int32],
    distances: Integers,
    queue: Integers,
) -> tuple[int, int]:
    """Start and goal: distinct, connected, at least min_distance moves apart; or (-1, -1)."""
    joined = knobs.generator != SEARCHFORMER and knobs.min_distance <= 1
    for _ in range(PAIRS if len(places) > 1 else 0):
        start, goal = places[below(random, len(places))], places[below(random, len(places))]
        if start == goal:
            continue
        if joined:
            return start, goal
        flood(Grid(cells, inverse, start, goal), distances, queue)
        if distances[goal] >= knobs.min_distance:
            return start, goal
    return -1, -1


def symmetry_hashes(width: int, height: int) -> NDArray[np.uint64]:
    """Zobrist words (3, cells, 8): of a wall, the start and the goal at each cell's image under
    each of the square's eight symmetries. A transposed image counts as of the transposed size.
    """
    x, y = (a.ravel() for a in np.meshgrid(np.arange(width), np.arange(height)))
    table = np.empty((3, width * height, 8), np.uint64)
    for s in range(8):
        u, v = (width - 1 - x if s & 1 else x), (height - 1 - y if s & 2 else y)
        w, h = width, height
        if s & 4:
            u, v, w, h = v, u, h, w
        for kind in range(3):
            with np.errstate(over="ignore"):
                word = ((u * 1024 + v) * 1024 + w) * 1024 + h
                table[kind, :, s] = mix64_array(word.astype(np.uint64) * np.uint64(4) + np.uint64(kind))
    return table


@njit
@wrapping
def mix64_array(words: Words) -> Words:
    """mix64, twice, of each word."""
    out = np.empty_like(words)
    for i in range(len(words)):
        out[i] = mix64(mix64(words[i]) + np.uint64(0x9E3779B97F4A7C15))
    return out


@njit
@wrapping
def canonical_hash(hashes: Words, free: NDArray[np.uint8], start: int, goal: int) -> np.uint64:
    """The least hash over the eight symmetries: equal for mirrored and rotated mazes."""
    image = np.empty(8, np.uint64)
    for s in range(8):
        image[s] = hashes[1, start, s] + hashes[2, goal, s]
    for c in range(len(free)):
        if not free[c]:
            for s in range(8):
                image[s] += hashes[0, c, s]
    least = image[0]
    for s in range(1, 8):
        least = min(least, image[s])
    return mix64(least)
