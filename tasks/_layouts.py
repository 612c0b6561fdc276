"""Maze layouts as compiled kernels: each fills `free` (cells,) uint8, row-major, 1 = free.

Spanning-tree mazes live on a lattice of rooms at x = y = parity (mod 2), as in Beyond Semantics
(arXiv 2505.13775): the cells between two rooms are walls until they are carved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracelab.core.jit import njit
from tracelab.core.rng import below, shuffle

WILSON, KRUSKAL, PRIM, DFS, BRAIDED, DRUNKARD, SEARCHFORMER, FREE = range(8)
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
TREES = (WILSON, KRUSKAL, PRIM, DFS)  # one path between any two cells
ON_LATTICE = (*TREES, BRAIDED)
DX, DY = np.array([0, 1, 0, -1]), np.array([-1, 0, 1, 0])  # up, right, down, left


class Knobs(NamedTuple):
    """A generator as compiled code sees it. parity: 0, 1, or 2 for a coin flip per maze."""

    generator: int
    width: int
    height: int
    parity: int
    coverage: float
    density_low: float
    density_high: float
    braid: float
    min_distance: int


@njit
def draw_layout(knobs, random, free):  # type: ignore[no-untyped-def]
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
        edges, count = _tree(knobs.generator, columns, rows, random)
        for e in range(columns * rows):
            free[_cell(knobs, parity, columns, e)] = 1
        for k in range(count):
            _carve(knobs, parity, columns, edges[k], free)
        if knobs.generator == BRAIDED:
            _braid(knobs, parity, columns, rows, random, free)


@njit
def rooms(side, parity):  # type: ignore[no-untyped-def]
    """How many rooms lie along a side."""
    return (side - parity + 1) // 2


@njit
def _cell(knobs, parity, columns, room):  # type: ignore[no-untyped-def]
    return (parity + 2 * (room // columns)) * knobs.width + parity + 2 * (room % columns)


@njit
def _carve(knobs, parity, columns, edge, free):  # type: ignore[no-untyped-def]
    """Free the cell between a room and its right (edge even) or lower (odd) neighbour."""
    free[_cell(knobs, parity, columns, edge >> 1) + (knobs.width if edge & 1 else 1)] = 1


@njit
def _edge(columns, room, direction):  # type: ignore[no-untyped-def]
    """The edge that leaves a room: 2 * room + 0 to the right, + 1 downwards."""
    if direction == 0:
        return 2 * (room - columns) + 1
    if direction == 1:
        return 2 * room
    if direction == 2:
        return 2 * room + 1
    return 2 * (room - 1)


@njit
def _step(columns, rows, room, direction):  # type: ignore[no-untyped-def]
    """The room in a direction, or -1."""
    x, y = room % columns + DX[direction], room // columns + DY[direction]
    return y * columns + x if 0 <= x < columns and 0 <= y < rows else -1


@njit
def _tree(generator, columns, rows, random):  # type: ignore[no-untyped-def]
    """The edges of a random spanning tree of the lattice -> (edges, how many)."""
    edges = np.empty(columns * rows, np.int64)
    if generator == KRUSKAL:
        return edges, _kruskal(columns, rows, random, edges)
    if generator == PRIM:
        return edges, _prim(columns, rows, random, edges)
    if generator == DFS:
        return edges, _backtracker(columns, rows, random, edges)
    return edges, _wilson(columns, rows, random, edges)


@njit
def _wilson(columns, rows, random, edges):  # type: ignore[no-untyped-def]
    """Loop-erased random walks (Wilson 1996): uniform over all spanning trees."""
    n = columns * rows
    in_tree, leaves = np.zeros(n, np.uint8), np.empty(n, np.int64)
    in_tree[below(random, n)] = 1
    count = 0
    for first in range(n):
        room = first
        while not in_tree[room]:
            direction = below(random, 4)
            after = _step(columns, rows, room, direction)
            if after >= 0:
                leaves[room] = direction
                room = after
        room = first
        while not in_tree[room]:
            in_tree[room] = 1
            edges[count] = _edge(columns, room, leaves[room])
            count += 1
            room = _step(columns, rows, room, leaves[room])
    return count


@njit
def _backtracker(columns, rows, random, edges):  # type: ignore[no-untyped-def]
    """Depth-first carving from room 0 (recursive backtracker)."""
    n = columns * rows
    seen, stack = np.zeros(n, np.uint8), np.empty(n, np.int64)
    choices = np.empty(4, np.int64)
    seen[0], stack[0] = 1, 0
    depth, count = 1, 0
    while depth > 0:
        room, degree = stack[depth - 1], 0
        for direction in range(4):
            after = _step(columns, rows, room, direction)
            if after >= 0 and not seen[after]:
                choices[degree] = direction
                degree += 1
        if degree == 0:
            depth -= 1
            continue
        direction = choices[below(random, degree)]
        edges[count] = _edge(columns, room, direction)
        stack[depth] = _step(columns, rows, room, direction)
        seen[stack[depth]] = 1
        depth, count = depth + 1, count + 1
    return count


@njit
def _prim(columns, rows, random, edges):  # type: ignore[no-untyped-def]
    """Grow a tree by a uniformly drawn frontier edge (randomised Prim)."""
    n = columns * rows
    seen = np.zeros(n, np.uint8)
    frontier = np.empty((4 * n, 2), np.int64)  # (room outside or by now inside, edge to it)
    room, size, count = below(random, n), 0, 0
    seen[room] = 1
    while True:
        for direction in range(4):
            after = _step(columns, rows, room, direction)
            if after >= 0 and not seen[after]:
                frontier[size, 0], frontier[size, 1] = after, _edge(columns, room, direction)
                size += 1
        while size > 0:
            k = below(random, size)
            room, edge = frontier[k]
            size -= 1
            frontier[k] = frontier[size]
            if not seen[room]:
                seen[room] = 1
                edges[count] = edge
                count += 1
                break
        else:
            return count


@njit
def _lattice_edges(columns, rows):  # type: ignore[no-untyped-def]
    """All edges of the lattice."""
    edges = np.empty(2 * columns * rows, np.int64)
    count = 0
    for room in range(columns * rows):
        for direction in (1, 2):
            if _step(columns, rows, room, direction) >= 0:
                edges[count] = _edge(columns, room, direction)
                count += 1
    return edges[:count]


@njit
def _kruskal(columns, rows, random, edges):  # type: ignore[no-untyped-def]
    """Edges in random order, kept where they join two trees (randomised Kruskal)."""
    leader = np.arange(columns * rows)
    every = _lattice_edges(columns, rows)
    shuffle(random, every)
    count = 0
    for edge in every:
        a = _leader(leader, edge >> 1)
        b = _leader(leader, (edge >> 1) + (columns if edge & 1 else 1))
        if a != b:
            leader[a] = b
            edges[count] = edge
            count += 1
    return count


@njit
def _leader(leader, room):  # type: ignore[no-untyped-def]
    """Union-find with path halving."""
    while leader[room] != room:
        leader[room] = leader[leader[room]]
        room = leader[room]
    return room


@njit
def _braid(knobs, parity, columns, rows, random, free):  # type: ignore[no-untyped-def]
    """Remove a share of the walls that still part two neighbouring rooms (at least one)."""
    every = _lattice_edges(columns, rows)
    shuffle(random, every)
    standing = len(every) - (columns * rows - 1)
    remove = min(standing, max(1, round(knobs.braid * standing)))
    for edge in every:
        wall = _cell(knobs, parity, columns, edge >> 1) + (knobs.width if edge & 1 else 1)
        if remove > 0 and not free[wall]:
            free[wall] = 1
            remove -= 1


@njit
def _drunkards_walk(knobs, random, free):  # type: ignore[no-untyped-def]
    """One random walker frees cells until a share of the grid is free."""
    free[:] = 0
    wanted = max(2, int(knobs.coverage * len(free)))
    cell = below(random, len(free))
    free[cell] = 1
    count = 1
    while count < wanted:
        after = _step(knobs.width, knobs.height, cell, below(random, 4))
        if after >= 0:
            cell = after
            count += not free[cell]
            free[cell] = 1


@njit
def _random_walls(knobs, random, free):  # type: ignore[no-untyped-def]
    """Walls on uniformly drawn cells, their number uniform in the density range (Searchformer)."""
    cells = len(free)
    low, high = int(knobs.density_low * cells), int(knobs.density_high * cells)
    free[:] = 1
    order = np.arange(cells)
    shuffle(random, order)
    free[order[: low + below(random, high - low + 1)]] = 0
