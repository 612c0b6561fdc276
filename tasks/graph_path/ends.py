"""Drawing a start and goals in a graph, and what the way between them costs."""

from __future__ import annotations

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below
from tracelab.tasks.graph_path.edges import STAR, TWO_TARGETS, WEIGHT, A, B, Desk, Knobs

STARTS = 20  # drawn per graph before another graph is drawn


@kernel
def flood(knobs: Knobs, edges: Integers, start: int, distances: Integers) -> None:
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
def least_cost(knobs: Knobs, edges: Integers, start: int, goal: int, costs: Integers) -> int:
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
def draw_ends(knobs: Knobs, random: Random, desk: Desk) -> tuple[int, int, int]:
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
def draw_node(
    random: Random, distances: Integers, low: int, high: int, edges: Integers, entering: int
) -> int:
    """A random node at a distance in [low, high], with so many edges into it (-1: any number); or -1."""
    node, count = -1, 0
    for a in range(len(distances)):
        if low <= distances[a] <= high and (entering < 0 or edges_into(edges, a) == entering):
            count += 1
            if below(random, count) == 0:
                node = a
    return node


@kernel
def edges_into(edges: Integers, node: int) -> int:
    """How many edges end at a node."""
    count = 0
    for e in range(len(edges)):
        count += edges[e, B] == node
    return count
