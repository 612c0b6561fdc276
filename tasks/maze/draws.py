"""Drawing maze problems that belong to a split: layout, start and goal, canonical hash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.ragged import Integers
from tracelab.core.rng import below, mix64
from tracelab.core.types import MAX_REDRAWS
from tracelab.tasks.maze.grid import FREE_CELL, HEADER, flood, walls
from tracelab.tasks.maze.layouts import SEARCHFORMER, Knobs, draw_layout

PAIRS = 100  # start and goal drawn per layout before another layout is drawn
Drawn = tuple[int, NDArray[np.int16], NDArray[np.uint64]]


@njit
def draw_problems(
    knobs: Knobs, low: int, high: int, bins: int, hashes: NDArray[np.uint64], keys: NDArray[np.uint64]
) -> Drawn:
    """One problem per key -> (first key that failed or -1, problems, identities)."""
    n, cells = len(keys), knobs.width * knobs.height
    identities, problems = np.empty(n, np.uint64), np.empty((n, HEADER + cells), np.int16)
    random = np.empty(1, np.uint64)
    table = walls(knobs.width, knobs.height, knobs.width)
    for i in range(n):
        random[0] = keys[i]
        start, goal, identities[i] = draw_problem(knobs, low, high, bins, hashes, random, table)
        if start < 0:
            return i, problems, identities
        write_problem(problems[i], knobs, start, goal, table)
    return -1, problems, identities


@njit
def draw_problem(
    knobs: Knobs,
    low: int,
    high: int,
    bins: int,
    hashes: NDArray[np.uint64],
    random: NDArray[np.uint64],
    table: NDArray[np.int32],
) -> tuple[int, int, np.uint64]:
    """Draw a maze, start and goal whose canonical hash falls into the split's bins.

    table: Grid's `cells`, overwritten. -> (start, goal, hash); start is -1 if MAX_REDRAWS draws found none.
    """
    n = len(table)
    free, places = np.empty(n, np.uint8), np.empty(n, np.int64)
    distances, queue = np.empty(n, np.int32), np.empty(n, np.int32)
    for _ in range(MAX_REDRAWS):
        draw_layout(knobs, random, free)
        count = 0
        for c in range(n):
            places[count] = c
            count += int(free[c])  # NumPy's sum of bytes is a byte
            table[c, FREE_CELL] = free[c]
        start, goal = draw_pair(knobs, random, places[:count], table, distances, queue)
        if start < 0:
            continue
        identity = canonical_hash(hashes, free, start, goal)
        if low <= identity % np.uint64(bins) < high:
            return start, goal, identity
    return -1, -1, np.uint64(0)


@kernel
def draw_pair(
    knobs: Knobs,
    random: NDArray[np.uint64],
    places: NDArray[np.int64],
    table: NDArray[np.int32],
    distances: NDArray[np.int32],
    queue: NDArray[np.int32],
) -> tuple[int, int]:
    """Start and goal: distinct, connected, at least min_distance moves apart; or (-1, -1)."""
    joined = knobs.generator != SEARCHFORMER and knobs.min_distance <= 1
    for _ in range(PAIRS if len(places) > 1 else 0):
        start = int(places[below(random, len(places))])
        goal = int(places[below(random, len(places))])
        if start == goal:
            continue
        if joined:
            return start, goal
        flood(table, start, distances, queue)
        if distances[goal] >= knobs.min_distance:
            return start, goal
    return -1, -1


@kernel
def write_problem(
    problem: NDArray[np.int16], knobs: Knobs, start: int, goal: int, table: NDArray[np.int32]
) -> None:
    """Store a problem as integers (see HEADER)."""
    w = knobs.width
    problem[0], problem[1] = w, knobs.height
    problem[2], problem[3] = start % w, start // w
    problem[4], problem[5] = goal % w, goal // w
    for c in range(len(table)):
        problem[HEADER + c] = table[c, FREE_CELL]


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
                once = mixed(word.astype(np.uint64) * np.uint64(4) + np.uint64(kind))
                table[kind, :, s] = mixed(once + np.uint64(0x9E3779B97F4A7C15))
    return table


@njit
def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """mix64 of each word: (n,). Of keys, others that have nothing to do with them."""
    out = np.empty_like(words)
    for i in range(len(words)):
        out[i] = mix64(words[i])
    return out


def identities(hashes: NDArray[np.uint64], problems: NDArray[np.int16]) -> NDArray[np.uint64]:
    """(n,) canonical hashes of stored problems of one size."""
    width, _, start_x, start_y, goal_x, goal_y = problems[:, :HEADER].astype(np.int64).T
    free, starts, goals = (
        problems[:, HEADER:].astype(np.uint8),
        start_y * width + start_x,
        goal_y * width + goal_x,
    )
    found = [canonical_hash(hashes, *maze) for maze in zip(free, starts, goals, strict=True)]
    return np.array(found, np.uint64)


@njit
@wrapping
def canonical_hash(hashes: NDArray[np.uint64], free: Integers, start: int, goal: int) -> np.uint64:
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
