"""Drawing a graph's edges: a random spanning tree and further pairs of nodes, of those a generator may join.

Nodes are numbered as the generator needs them: along a grid, an arm, a topological order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Random
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import below, shuffle
from tracelab.tasks.shared.union_find import leader_of

GENERATORS = ("random", "grid", "star", "dag", "two_targets")
RANDOM, GRID, STAR, DAG, TWO_TARGETS = range(5)
A, B, WEIGHT = range(3)  # columns of an edge


class Knobs(NamedTuple):
    """A generator as compiled code sees it. width: of a grid; arm: edges along an arm of a star;
    layers: of a DAG, 0 for none; labels: how many node words there are.
    """

    generator: int
    nodes: int
    edges: int
    width: int
    arm: int
    layers: int
    directed: bool
    max_weight: int
    min_distance: int
    labels: int
    coordinates: bool


class Desk(NamedTuple):
    """Scratch for drawing one graph after another (see `new_desk`).

    pairs: the pairs a * nodes + b that an edge may join, in two rows, the second for shuffling; edges:
    (edges, 3); nodes: (3, nodes) for union-find, distances and costs; order: of labels, edges or nodes.
    """

    pairs: NDArray[np.int64]
    edges: NDArray[np.int64]
    nodes: NDArray[np.int64]
    order: NDArray[np.int64]
    labels: NDArray[np.int64]
    colours: NDArray[np.uint64]


@njit
def new_desk(knobs: Knobs) -> Desk:
    """Scratch for a generator's graphs."""
    n = knobs.nodes
    pairs = np.empty((2, n * (n - 1) // 2), np.int64)
    count = 0
    for a in range(n):
        for b in range(a + 1, n):
            if may_join(knobs, a, b):
                pairs[0, count] = a * n + b
                count += 1
    edges, nodes = np.empty((knobs.edges, 3), np.int64), np.empty((3, n), np.int64)
    order, labels = np.empty(max(knobs.labels, knobs.edges), np.int64), np.empty(n, np.int64)
    return Desk(pairs[:, :count], edges, nodes, order, labels, np.empty((2, n), np.uint64))


@kernel
def may_join(knobs: Knobs, a: int, b: int) -> bool:
    """May an edge join nodes a < b?"""
    if knobs.generator == GRID:
        return b == a + knobs.width or (b == a + 1 and b % knobs.width > 0)
    if knobs.generator == STAR:
        return a == (0 if (b - 1) % knobs.arm == 0 else b - 1)
    if knobs.generator >= DAG and knobs.layers > 0:
        return b * knobs.layers // knobs.nodes == a * knobs.layers // knobs.nodes + 1
    return True


@kernel
def draw_edges(knobs: Knobs, random: Random, desk: Desk) -> None:
    """A random spanning tree (Kruskal over the shuffled pairs), then further pairs in their order.

    Where edges have no direction, or none that the generator gives them, a coin decides which end
    comes first.
    """
    pairs, edges, leader, n = desk.pairs[1], desk.edges, desk.nodes[0], knobs.nodes
    for k in range(len(pairs)):
        pairs[k] = desk.pairs[0, k]
    shuffle(random, pairs)
    for a in range(n):
        leader[a] = a
    count, extra = 0, knobs.edges - (n - 1)
    oriented = knobs.generator > GRID and knobs.directed
    for k in range(len(pairs)):
        a, b = pairs[k] // n, pairs[k] % n
        tree_a, tree_b = leader_of(leader, a), leader_of(leader, b)
        if tree_a == tree_b and extra == 0:
            continue
        extra -= tree_a == tree_b
        leader[tree_a] = tree_b
        swap = not oriented and below(random, 2) == 1
        edges[count, A], edges[count, B] = (b, a) if swap else (a, b)
        edges[count, WEIGHT] = 1 + below(random, knobs.max_weight)
        count += 1
