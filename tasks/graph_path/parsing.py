"""A graph problem from a prompt that was read from a file; its canonical hash and least cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Words, int64
from tracelab.core.codec import Codec
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.tasks.graph_path.draws import (
    COORDINATES,
    DIRECTED,
    EDGES,
    HEADER,
    NODES,
    SECOND,
    START,
    TARGET,
    canonical_hash,
)
from tracelab.tasks.graph_path.edges import WEIGHT, A, B, Desk, Knobs, new_desk
from tracelab.tasks.graph_path.ends import least_cost
from tracelab.tasks.graph_path.text import AT_ROW, EDGE_ROW, GOAL_ROW, START_ROW, prompt_rows
from tracelab.tasks.shared.reading import alone, check_written, stored


def problem_of(codec: Codec, prompt: Integers, knobs: Knobs, last: bool) -> Integers:
    """The stored graph problem that a prompt's tokens write. last: do start and goal stand behind the edges?

    ValueError if they write none.
    """
    read = codec.read_prompt(prompt)
    kinds = START_ROW, GOAL_ROW, EDGE_ROW, AT_ROW
    starts, goals, edges, places = (read[read[:, 0] == kind, 1:] for kind in kinds)
    if len(starts) != 1 or not 1 <= len(goals) <= 2 or len(edges) == 0:
        raise ValueError(f"the prompt has {len(starts)} starts, {len(goals)} goals and {len(edges)} edges")
    weighted = knobs.max_weight > 1
    if not weighted:
        edges[:, 2] = 1
    nodes = np.unique(edges[:, :2])
    ends = [int(node) for node in (*starts[:, 0], *goals[:, 0])]
    second = ends[2] if len(ends) == 3 else -1
    header = [len(nodes), len(edges), knobs.directed, knobs.coordinates, *ends[:2], second]
    problem = stored([*header, *edges.ravel(), *places.ravel()])
    single = alone(problem)
    check_written(codec, prompt, Ragged(*prompt_rows(single.values, single.offsets, last, weighted)))
    if not np.isin(ends, nodes).all() or len(set(ends)) < len(ends):
        raise ValueError("the start or a goal is at no edge, or two of them are one")
    pairs = edges[:, :2] if knobs.directed else np.sort(edges[:, :2], axis=1)
    if (edges[:, 0] == edges[:, 1]).any() or len(np.unique(pairs, axis=0)) < len(edges):
        raise ValueError("an edge leads from a node to itself, or stands twice")
    if edges[:, 2].min() < 1:
        raise ValueError("an edge costs nothing")
    check_places(edges, places, nodes, len(ends) - 1, knobs)
    return problem


def check_places(edges: Integers, places: Integers, nodes: Integers, goals: int, knobs: Knobs) -> None:
    """ValueError unless, where coordinates are wanted, the nodes fill a grid of the task's width, one goal is
    given, and no edge is longer than it costs: else the distance to the goal would be no lower bound.
    """
    if not knobs.coordinates:
        if len(places):
            raise ValueError("the prompt has coordinates: set task.coordinates=true")
        return
    if goals > 1:
        raise ValueError("the prompt has two goals: with coordinates, distances are to one")
    filled = np.sort(places[:, 2] * knobs.width + places[:, 1]).tolist() == list(range(len(nodes)))
    if np.sort(places[:, 0]).tolist() != nodes.tolist() or not filled or places[:, 1].max() >= knobs.width:
        raise ValueError(f"the nodes do not fill a grid of {knobs.width} columns, as task.grid says")
    at = {int(node): xy for node, *xy in places.tolist()}
    for a, b, cost in edges.tolist():
        if abs(at[a][0] - at[b][0]) + abs(at[a][1] - at[b][1]) > cost:
            raise ValueError(f"the edge from {a} to {b} is longer than it costs")


@njit
def examined(knobs: Knobs, problems: Integers, offsets: NDArray[np.int64]) -> tuple[Words, NDArray[np.int64]]:
    """-> (canonical hashes, costs of the cheapest paths, 1 << 40 where there is none), (n,) each.

    knobs: with the most nodes and edges of any problem.
    """
    n = len(offsets) - 1
    identities, least = np.empty(n, np.uint64), np.empty(n, np.int64)
    desk = new_desk(knobs)
    numbers = np.empty(knobs.labels, np.int64)
    for i in range(n):
        identities[i], least[i] = examine(knobs, problems[offsets[i] : offsets[i + 1]], desk, numbers)
    return identities, least


@kernel
def examine(knobs: Knobs, problem: Integers, desk: Desk, numbers: Integers) -> tuple[np.uint64, int]:
    """-> (the canonical hash, the least cost of a path). numbers: scratch, (labels,)."""
    nodes, m = int64(problem[NODES]), int64(problem[EDGES])
    own = Knobs(
        knobs.generator,
        nodes,
        m,
        knobs.width,
        knobs.arm,
        knobs.layers,
        problem[DIRECTED] != 0,
        knobs.max_weight,
        knobs.min_distance,
        knobs.labels,
        knobs.coordinates,
    )
    edges, count = desk.edges[:m], 0
    numbers[:] = -1
    for k in range(nodes if problem[COORDINATES] else 0):
        at = HEADER + 3 * (m + k)
        numbers[problem[at]] = problem[at + 2] * knobs.width + problem[at + 1]
    for e in range(m):
        for side in range(2):
            label = problem[HEADER + 3 * e + side]
            if numbers[label] < 0:
                numbers[label] = count
                desk.labels[count] = label
                count += 1
        at = HEADER + 3 * e
        edges[e, A], edges[e, B] = numbers[problem[at]], numbers[problem[at + 1]]
        edges[e, WEIGHT] = problem[at + 2]
    mine = Desk(desk.pairs, edges, desk.nodes, desk.order, desk.labels, desk.colours)
    start, goal = numbers[problem[START]], numbers[problem[TARGET]]
    other = numbers[problem[SECOND]] if problem[SECOND] >= 0 else -1
    identity = canonical_hash(own, mine, start, goal, other)
    least = least_cost(own, edges, start, goal, desk.nodes[2])
    if other >= 0:
        least = min(least, least_cost(own, edges, start, other, desk.nodes[2]))
    return identity, least
