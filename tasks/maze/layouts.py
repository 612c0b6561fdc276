"""Maze layouts as compiled kernels: each fills `free` (cells,) uint8, row-major, 1 = free.

Spanning-tree mazes live on a lattice of rooms at x = y = parity (mod 2), as in Beyond Semantics
(arXiv 2505.13775): the cells between two rooms are walls until they are carved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Random
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import below, shuffle
from tracelab.tasks.maze.spanning_trees import TREES, lattice_edges, neighbour, spanning_tree

BRAIDED, DRUNKARD, SEARCHFORMER, FREE = range(len(TREES), 8)
GENERATORS = (
    "wilson",
    "kruskal",
    "prim",
    "dfs",
    "braided",
    "drunkards_walk",
    "searchformer",
    "free_space",
)
ON_LATTICE = (*TREES, BRAIDED)


class Knobs(NamedTuple):
    """A generator as compiled code sees it. parity: 0, 1, or 2 for a coin flip per maze; fewest, most: walls
    (searchformer).
    """

    generator: int
    width: int
    height: int
    parity: int
    coverage: float
    fewest: int
    most: int
    braid: float
    min_distance: int


def wall_counts(cells: int, density: Sequence[float] | None) -> tuple[int, int]:
    """Fewest and most walls on so many cells: a range of shares, or None for the published rule, three to
    five for each whole ten cells (Searchformer's and Beyond Semantics' code both).
    """
    if density is None:
        return cells // 10 * 3, cells // 10 * 5
    return share_of(density[0], cells), share_of(density[1], cells)


@kernel
def share_of(share: float, count: int) -> int:
    """So many of so many, rounded down: 29 of 100 are 0.29 (whose product is a little less than 29)."""
    return int(share * count + 1e-9)


def most_moves(knobs: Knobs) -> int:
    """No start and goal are farther apart: through all cells that are free, or as the crow flies."""
    cells, round_up = knobs.width * knobs.height, knobs.parity != 1
    if knobs.generator == FREE:
        return knobs.width + knobs.height - 2
    if knobs.generator == DRUNKARD:
        return max(2, share_of(knobs.coverage, cells)) - 1
    if knobs.generator == SEARCHFORMER:
        return cells - knobs.fewest - 1
    return 2 * ((knobs.width + round_up) // 2) * ((knobs.height + round_up) // 2) - 2


@njit
def draw_layout(knobs: Knobs, random: Random, free: NDArray[np.uint8]) -> None:
    """Fill `free` with a maze of the knobs' kind."""
    if knobs.generator == FREE:
        free[:] = 1
    elif knobs.generator == DRUNKARD:
        _drunkards_walk(knobs, random, free)
    elif knobs.generator == SEARCHFORMER:
        _random_walls(knobs, random, free)
    else:
        parity = below(random, 2) if knobs.parity == 2 else knobs.parity
        free[:] = 0
        columns, rows = rooms(knobs.width, parity), rooms(knobs.height, parity)
        edges, count = spanning_tree(knobs.generator, columns, rows, random)
        for e in range(columns * rows):
            free[_cell(knobs, parity, columns, e)] = 1
        for k in range(count):
            _carve(knobs, parity, columns, edges[k], free)
        if knobs.generator == BRAIDED:
            _braid(knobs, parity, columns, rows, random, free)


@njit
def rooms(side: int, parity: int) -> int:
    """How many rooms lie along a side."""
    return (side - parity + 1) // 2


@njit
def _cell(knobs: Knobs, parity: int, columns: int, room: int) -> int:
    return (parity + 2 * (room // columns)) * knobs.width + parity + 2 * (room % columns)


@njit
def _carve(knobs: Knobs, parity: int, columns: int, edge: int, free: NDArray[np.uint8]) -> None:
    """Free the cell between a room and its right (edge even) or lower (odd) neighbour."""
    free[_cell(knobs, parity, columns, edge >> 1) + (knobs.width if edge & 1 else 1)] = 1


@njit
def _braid(
    knobs: Knobs, parity: int, columns: int, rows: int, random: Random, free: NDArray[np.uint8]
) -> None:
    """Remove a share of the walls that still part two neighbouring rooms (at least one)."""
    every = lattice_edges(columns, rows)
    shuffle(random, every)
    standing = len(every) - (columns * rows - 1)
    remove = min(standing, max(1, round(knobs.braid * standing)))
    for edge in every:
        wall = _cell(knobs, parity, columns, edge >> 1) + (knobs.width if edge & 1 else 1)
        if remove > 0 and not free[wall]:
            free[wall] = 1
            remove -= 1


@njit
def _drunkards_walk(knobs: Knobs, random: Random, free: NDArray[np.uint8]) -> None:
    """One random walker frees cells until a share of the grid is free."""
    free[:] = 0
    wanted = max(2, share_of(knobs.coverage, len(free)))
    cell = below(random, len(free))
    free[cell] = 1
    count = 1
    while count < wanted:
        after = neighbour(knobs.width, knobs.height, cell, below(random, 4))
        if after >= 0:
            cell = after
            count += not free[cell]
            free[cell] = 1


@njit
def _random_walls(knobs: Knobs, random: Random, free: NDArray[np.uint8]) -> None:
    """Walls on uniformly drawn cells, their number uniform from the fewest to the most (Searchformer)."""
    free[:] = 1
    order = np.arange(len(free))
    shuffle(random, order)
    free[order[: knobs.fewest + below(random, knobs.most - knobs.fewest + 1)]] = 0
