"""Drawing a graph problem that belongs to a split: edges, start and goal, labels, canonical hash.

Nodes are numbered as the generator needs them (along a grid, an arm, a topological order); labels are
a random injection of those numbers into the node words, so that a label says nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel, njit
from tracelab.core.rng import below, mix64, shuffle
from tracelab.core.types import MAX_REDRAWS

GENERATORS = ("random", "grid", "star", "dag", "two_targets")
RANDOM, GRID, STAR, DAG, TWO_TARGETS = range(5)
STARTS = 20  # drawn per graph before another graph is drawn
ROUNDS = 8  # of colour refinement
A, B, WEIGHT = range(3)  # columns of an edge
# of a stored problem: nodes, edges, directed?, coordinates?, start, target, second target or -1;
# then a, b, weight of each edge and, with coordinates, label, x, y of each node, in the prompt's order
HEADER = 7
NODES, EDGES, DIRECTED, COORDINATES, START, TARGET, SECOND = range(HEADER)


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
def new_desk(knobs):  # type: ignore[no-untyped-def]
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
def may_join(knobs, a, b):  # type: ignore[no-untyped-def]
    """May an edge join nodes a < b?"""
    if knobs.generator == GRID:
        return b == a + knobs.width or (b == a + 1 and b % knobs.width > 0)
    if knobs.generator == STAR:
        return a == (0 if (b - 1) % knobs.arm == 0 else b - 1)
    if knobs.generator >= DAG and knobs.layers > 0:
        return b * knobs.layers // knobs.nodes == a * knobs.layers // knobs.nodes + 1
    return True


@kernel
def draw_edges(knobs, random, desk):  # type: ignore[no-untyped-def]
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
    count, extra, oriented = 0, knobs.edges - (n - 1), knobs.generator > GRID and knobs.directed
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


@kernel
def leader_of(leader, a):  # type: ignore[no-untyped-def]
    """Union-find with path halving."""
    while leader[a] != a:
        leader[a] = leader[leader[a]]
        a = leader[a]
    return a


@kernel
def flood(knobs, edges, start, distances):  # type: ignore[no-untyped-def]
    """Fewest edges from the start to each node, -1 where it does not reach."""
    distances[:] = -1
    distances[start] = 0
    far, more = 0, True
    while more:
        more = False
        for e in range(len(edges)):
            a, b = edges[e, A], edges[e, B]
            if distances[a] == far and distances[b] < 0:
                distances[b], more = far + 1, True
            elif not knobs.directed and distances[b] == far and distances[a] < 0:
                distances[a], more = far + 1, True
        far += 1


@kernel
def least_cost(knobs, edges, start, goal, costs):  # type: ignore[no-untyped-def]
    """Cost of a cheapest path (Bellman and Ford)."""
    costs[:] = 1 << 40
    costs[start] = 0
    more = True
    while more:
        more = False
        for e in range(len(edges)):
            a, b, w = edges[e, A], edges[e, B], edges[e, WEIGHT]
            if costs[a] + w < costs[b]:
                costs[b], more = costs[a] + w, True
            if not knobs.directed and costs[b] + w < costs[a]:
                costs[a], more = costs[b] + w, True
    return costs[goal]


@kernel
def draw_ends(knobs, random, desk):  # type: ignore[no-untyped-def]
    """-> (start, goal, another target or -1); start is -1 if no draw will do.

    Of two targets the start reaches the goal alone; both have the same number of edges into them.
    """
    edges, distances, n = desk.edges, desk.nodes[1], knobs.nodes
    for _ in range(STARTS):
        start = 0 if knobs.generator == STAR else below(random, n)
        flood(knobs, edges, start, distances)
        if knobs.generator == STAR:
            return start, knobs.arm * (1 + below(random, (n - 1) // knobs.arm)), -1
        goal = draw_node(random, distances, knobs.min_distance, n, edges, -1)
        other = -1
        if goal >= 0 and knobs.generator == TWO_TARGETS:
            other = draw_node(random, distances, -1, -1, edges, edges_into(edges, goal))
            goal = goal if other >= 0 else -1
        if goal >= 0:
            return start, goal, other
    return -1, -1, -1


@kernel
def draw_node(random, distances, low, high, edges, entering):  # type: ignore[no-untyped-def]
    """A random node at a distance in [low, high], with so many edges into it (-1: any number); or -1."""
    node, count = -1, 0
    for a in range(len(distances)):
        if low <= distances[a] <= high and (entering < 0 or edges_into(edges, a) == entering):
            count += 1
            if below(random, count) == 0:
                node = a
    return node


@kernel
def edges_into(edges, node):  # type: ignore[no-untyped-def]
    """How many edges end at a node."""
    count = 0
    for e in range(len(edges)):
        count += edges[e, B] == node
    return count


@kernel
def canonical_hash(knobs, desk, start, goal, other):  # type: ignore[no-untyped-def]
    """Equal for graphs that differ in labels and in the order of edges alone, by colour refinement.

    (Weisfeiler and Leman 1968; rarely, other graphs share it too.) Path-stars of one shape are all the
    same graph: there the labels count.
    """
    colour, after, edges = desk.colours[0], desk.colours[1], desk.edges
    for a in range(knobs.nodes):
        colour[a] = 1 * (a == start) + 2 * ((a == goal) + (a == other))
        if knobs.coordinates:
            colour[a] += np.uint64(4 * (a + 1))
        if knobs.generator == STAR:
            colour[a] += np.uint64(4 * (desk.labels[a] + 1))
    for _ in range(ROUNDS):
        for a in range(knobs.nodes):
            colour[a] = after[a] = mix64(colour[a])
        for e in range(len(edges)):
            a, b, weight = edges[e, A], edges[e, B], np.uint64(edges[e, WEIGHT])
            after[b] += mix64(colour[a] + weight)
            after[a] += mix64((~colour[b] if knobs.directed else colour[b]) + weight)
        for a in range(knobs.nodes):
            colour[a] = after[a]
    whole = np.uint64(knobs.directed)
    for a in range(knobs.nodes):
        whole += mix64(colour[a])
    return mix64(whole)


@kernel
def draw_labels(knobs, random, desk):  # type: ignore[no-untyped-def]
    """labels[a]: the node word of node a."""
    order = desk.order[: knobs.labels]
    for a in range(len(order)):
        order[a] = a
    shuffle(random, order)
    for a in range(knobs.nodes):
        desk.labels[a] = order[a]


@kernel
def draw_problem(knobs, low, high, bins, random, desk, out):  # type: ignore[no-untyped-def]
    """Draw a problem whose canonical hash falls into the split's bins, and store it in `out`.

    -> (start, goal, hash); start is -1 if MAX_REDRAWS draws found none.
    """
    for _ in range(MAX_REDRAWS):
        draw_edges(knobs, random, desk)
        start, goal, other = draw_ends(knobs, random, desk)
        if start < 0:
            continue
        draw_labels(knobs, random, desk)
        identity = canonical_hash(knobs, desk, start, goal, other)
        if low <= identity % np.uint64(bins) < high:
            store(knobs, random, desk, start, goal, other, out)
            return start, goal, identity
    return -1, -1, np.uint64(0)


@kernel
def store(knobs, random, desk, start, goal, other, out):  # type: ignore[no-untyped-def]
    """Write a problem as integers (see HEADER), edges and targets in random order."""
    label, order, m = desk.labels, desk.order, knobs.edges
    out[NODES], out[EDGES], out[DIRECTED], out[COORDINATES] = (
        knobs.nodes,
        m,
        knobs.directed,
        knobs.coordinates,
    )
    out[START], out[TARGET], out[SECOND] = label[start], label[goal], -1
    if other >= 0:
        out[SECOND] = label[other]
        if below(random, 2):
            out[TARGET], out[SECOND] = label[other], label[goal]
    at = HEADER
    for e in range(m):
        order[e] = e
    shuffle(random, order[:m])
    for e in order[:m]:
        out[at], out[at + 1] = label[desk.edges[e, A]], label[desk.edges[e, B]]
        out[at + 2] = desk.edges[e, WEIGHT]
        at += 3
    for a in range(knobs.nodes if knobs.coordinates else 0):
        order[a] = a
    shuffle(random, order[: knobs.nodes if knobs.coordinates else 0])
    for a in order[: knobs.nodes if knobs.coordinates else 0]:
        out[at], out[at + 1], out[at + 2] = label[a], a % knobs.width, a // knobs.width
        at += 3
