"""A graph problem as a search space: a state is a node, successors stand in the prompt's order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first import space as spaces
from tracelab.tasks.graph_path.draws import (
    COORDINATES,
    DIRECTED,
    EDGES,
    HEADER,
    NODES,
    SECOND,
    START,
    TARGET,
)

PRESENT, X, Y = range(3)  # columns of Graph.places
FROM, TO, OR_TO, GUIDED = range(4)  # places in Graph.query


class Graph(NamedTuple):
    """first[a] to first[a + 1]: the places in `ends` of node a's successors and their costs.

    first: (labels + 1,); ends: (room for edges, 2); places: (labels, 3) is there such a node, x, y; query:
    start, target, another target or -1, is there a heuristic (without one h is -1, and not written)?
    """

    first: NDArray[np.int32]
    ends: NDArray[np.int32]
    places: NDArray[np.int32]
    query: NDArray[np.int32]


@njit
def new_graph(labels: int, edges: int) -> Graph:
    """Room for graphs of up to so many node words and edges."""
    first, ends = np.zeros(labels + 1, np.int32), np.zeros((2 * edges, 2), np.int32)
    return Graph(first, ends, np.zeros((labels, 3), np.int32), np.zeros(4, np.int32))


@spaces.implements(spaces.pose, Graph)
def _pose(graph: Graph, problem: Integers) -> None:
    first, ends, places, query = graph.first, graph.ends, graph.places, graph.query
    m, both = problem[EDGES], not problem[DIRECTED]
    query[FROM], query[TO], query[OR_TO] = problem[START], problem[TARGET], problem[SECOND]
    query[GUIDED] = problem[COORDINATES]
    first[:] = 0
    places[:] = 0
    for e in range(m):
        a, b = problem[HEADER + 3 * e], problem[HEADER + 3 * e + 1]
        first[a] += 1
        first[b] += both
        places[a, PRESENT] = places[b, PRESENT] = 1
    total = 0
    for a in range(len(first)):  # first[a]: one past a's successors, until they are filled in from behind
        total += first[a]
        first[a] = total
    for e in range(m - 1, -1, -1):
        a, b, cost = problem[HEADER + 3 * e], problem[HEADER + 3 * e + 1], problem[HEADER + 3 * e + 2]
        first[a] -= 1
        ends[first[a], 0], ends[first[a], 1] = b, cost
        if both:
            first[b] -= 1
            ends[first[b], 0], ends[first[b], 1] = a, cost
    for k in range(problem[NODES] if problem[COORDINATES] else 0):
        at = HEADER + 3 * (m + k)
        places[problem[at], X], places[problem[at], Y] = problem[at + 1], problem[at + 2]


@spaces.implements(spaces.capacity, Graph)
def _capacity(graph: Graph) -> int:
    return len(graph.places)


@spaces.implements(spaces.start, Graph)
def _start(graph: Graph) -> int:
    return graph.query[FROM]


@spaces.implements(spaces.is_goal, Graph)
def _is_goal(graph: Graph, state: int) -> bool:
    return state == graph.query[TO] or state == graph.query[OR_TO]


@spaces.implements(spaces.heuristic, Graph)
def _heuristic(graph: Graph, state: int) -> int:
    """Manhattan distance of the coordinates that the prompt gives: no edge is longer than it costs."""
    if not graph.query[GUIDED]:
        return ABSENT
    places, target = graph.places, graph.query[TO]
    return abs(places[state, X] - places[target, X]) + abs(places[state, Y] - places[target, Y])


@spaces.implements(spaces.max_degree, Graph)
def _max_degree(graph: Graph) -> int:
    return len(graph.places)


@spaces.implements(spaces.neighbours, Graph)
def _neighbours(graph: Graph, state: int, states: Integers, costs: Integers) -> int:
    begin, count = graph.first[state], graph.first[state + 1] - graph.first[state]
    for k in range(count):
        states[k], costs[k] = graph.ends[begin + k, 0], graph.ends[begin + k, 1]
    return count


@spaces.implements(spaces.read_state, Graph)
def _read_state(graph: Graph, row: Integers, column: int) -> int:
    node = row[column]
    return node if 0 <= node < len(graph.places) and graph.places[node, PRESENT] else -1


@spaces.implements(spaces.write_state, Graph)
def _write_state(graph: Graph, state: int, row: Integers, column: int) -> None:
    row[column] = state


@kernel
def largest_label(problems: Integers, offsets: Integers) -> int:
    """The largest node word in a batch."""
    largest = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        for k in range(HEADER, HEADER + 3 * int(p[EDGES]), 3):
            largest = max(largest, p[k], p[k + 1])
    return largest
