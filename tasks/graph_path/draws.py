"""Drawing a graph problem that belongs to a split: edges, start and goal, labels, canonical hash.

Labels are a random injection of the generator's numbers into the node words, so that a label says nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.rng import below, mix64, shuffle
from tracelab.core.types import MAX_REDRAWS
from tracelab.tasks.graph_path.edges import STAR, WEIGHT, A, B, Desk, Knobs, draw_edges, new_desk
from tracelab.tasks.graph_path.ends import draw_ends, least_cost

ROUNDS = 8  # of colour refinement
# of a stored problem: nodes, edges, directed?, coordinates?, start, target, second target or -1;
# then a, b, weight of each edge and, with coordinates, label, x, y of each node, in the prompt's order
HEADER = 7
NODES, EDGES, DIRECTED, COORDINATES, START, TARGET, SECOND = range(HEADER)


@kernel
@wrapping
def canonical_hash(knobs: Knobs, desk: Desk, start: int, goal: int, other: int) -> np.uint64:
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
def draw_labels(knobs: Knobs, random: Random, desk: Desk) -> None:
    """labels[a]: the node word of node a."""
    order = desk.order[: knobs.labels]
    for a in range(len(order)):
        order[a] = a
    shuffle(random, order)
    for a in range(knobs.nodes):
        desk.labels[a] = order[a]


@kernel
def draw_problem(
    knobs: Knobs, low: int, high: int, bins: int, random: Random, desk: Desk, out: Integers
) -> tuple[int, int, np.uint64]:
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
def store(knobs: Knobs, random: Random, desk: Desk, start: int, goal: int, other: int, out: Integers) -> None:
    """Write a problem as integers (see HEADER), edges and targets in random order."""
    label, order, m = desk.labels, desk.order, knobs.edges
    out[NODES], out[EDGES] = knobs.nodes, m
    out[DIRECTED], out[COORDINATES] = knobs.directed, knobs.coordinates
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


@njit
def draw_problems(
    knobs: Knobs, low: int, high: int, bins: int, keys: Words
) -> tuple[int, NDArray[np.int16], Words, NDArray[np.int64]]:
    """One problem per key -> (first key that failed or -1, (n, size) problems, identities, least costs)."""
    n, size = len(keys), HEADER + 3 * (knobs.edges + (knobs.nodes if knobs.coordinates else 0))
    problems, identities = np.empty((n, size), np.int16), np.empty(n, np.uint64)
    least = np.empty(n, np.int64)
    random = np.empty(1, np.uint64)
    desk = new_desk(knobs)
    for i in range(n):
        random[0] = keys[i]
        start, goal, identities[i] = draw_problem(knobs, low, high, bins, random, desk, problems[i])
        if start < 0:
            return i, problems, identities, least
        least[i] = least_cost(knobs, desk.edges, start, goal, desk.nodes[2])
    return -1, problems, identities, least
