"""Random spanning trees of a lattice of rooms, compiled: the corridors of mazes with one way between any two.

An edge is 2 * room + 0 for that to the right, + 1 for that downwards; rooms are numbered row by row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Random
from tracelab.core.jit import njit
from tracelab.core.rng import below, shuffle
from tracelab.tasks.shared.union_find import leader_of

TREES = WILSON, KRUSKAL, PRIM, DFS = (0, 1, 2, 3)
DX, DY = np.array([0, 1, 0, -1]), np.array([-1, 0, 1, 0])  # up, right, down, left


@njit
def edge_to(columns: int, room: int, direction: int) -> int:
    """The edge that leaves a room: 2 * room + 0 to the right, + 1 downwards."""
    if direction == 0:
        return 2 * (room - columns) + 1
    if direction == 1:
        return 2 * room
    if direction == 2:
        return 2 * room + 1
    return 2 * (room - 1)


@njit
def neighbour(columns: int, rows: int, room: int, direction: int) -> int:
    """The room (or cell) in a direction, or -1."""
    x, y = room % columns + DX[direction], room // columns + DY[direction]
    return y * columns + x if 0 <= x < columns and 0 <= y < rows else -1


@njit
def spanning_tree(generator: int, columns: int, rows: int, random: Random) -> tuple[NDArray[np.int64], int]:
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
def _wilson(columns: int, rows: int, random: Random, edges: NDArray[np.int64]) -> int:
    """Loop-erased random walks (Wilson 1996): uniform over all spanning trees -> how many edges."""
    n = columns * rows
    in_tree, leaves = np.zeros(n, np.uint8), np.empty(n, np.int64)
    in_tree[below(random, n)] = 1
    count = 0
    for first in range(n):
        room = first
        while not in_tree[room]:
            direction = below(random, 4)
            after = neighbour(columns, rows, room, direction)
            if after >= 0:
                leaves[room] = direction
                room = after
        room = first
        while not in_tree[room]:
            in_tree[room] = 1
            edges[count] = edge_to(columns, room, leaves[room])
            count += 1
            room = neighbour(columns, rows, room, leaves[room])
    return count


@njit
def _backtracker(columns: int, rows: int, random: Random, edges: NDArray[np.int64]) -> int:
    """Depth-first carving from room 0 (recursive backtracker) -> how many edges."""
    n = columns * rows
    seen, stack = np.zeros(n, np.uint8), np.empty(n, np.int64)
    choices = np.empty(4, np.int64)
    seen[0], stack[0] = 1, 0
    depth, count = 1, 0
    while depth > 0:
        room, degree = stack[depth - 1], 0
        for direction in range(4):
            after = neighbour(columns, rows, room, direction)
            if after >= 0 and not seen[after]:
                choices[degree] = direction
                degree += 1
        if degree == 0:
            depth -= 1
            continue
        chosen = choices[below(random, degree)]
        edges[count] = edge_to(columns, room, chosen)
        stack[depth] = neighbour(columns, rows, room, chosen)
        seen[stack[depth]] = 1
        depth, count = depth + 1, count + 1
    return count


@njit
def _prim(columns: int, rows: int, random: Random, edges: NDArray[np.int64]) -> int:
    """Grow a tree by a uniformly drawn frontier edge (randomised Prim) -> how many edges."""
    n = columns * rows
    seen = np.zeros(n, np.uint8)
    frontier = np.empty((4 * n, 2), np.int64)  # (room outside or by now inside, edge to it)
    room = below(random, n)
    size = count = 0
    seen[room] = 1
    while True:
        for direction in range(4):
            after = neighbour(columns, rows, room, direction)
            if after >= 0 and not seen[after]:
                frontier[size, 0], frontier[size, 1] = after, edge_to(columns, room, direction)
                size += 1
        while size > 0:
            k = below(random, size)
            room, edge = frontier[k, 0], frontier[k, 1]
            size -= 1
            frontier[k, 0], frontier[k, 1] = frontier[size, 0], frontier[size, 1]
            if not seen[room]:
                seen[room] = 1
                edges[count] = edge
                count += 1
                break
        else:
            return count


@njit
def lattice_edges(columns: int, rows: int) -> NDArray[np.int64]:
    """All edges of the lattice."""
    edges = np.empty(2 * columns * rows, np.int64)
    count = 0
    for room in range(columns * rows):
        for direction in (1, 2):
            if neighbour(columns, rows, room, direction) >= 0:
                edges[count] = edge_to(columns, room, direction)
                count += 1
    return edges[:count]


@njit
def _kruskal(columns: int, rows: int, random: Random, edges: NDArray[np.int64]) -> int:
    """Edges in random order, kept where they join two trees (randomised Kruskal) -> how many."""
    leader = np.arange(columns * rows)
    every = lattice_edges(columns, rows)
    shuffle(random, every)
    count = 0
    for edge in every:
        a = leader_of(leader, edge >> 1)
        b = leader_of(leader, (edge >> 1) + (columns if edge & 1 else 1))
        if a != b:
            leader[a] = b
            edges[count] = edge
            count += 1
    return count
