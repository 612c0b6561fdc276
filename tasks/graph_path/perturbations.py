"""Small changes of a graph problem that keep what its cheapest path costs.

    rename_nodes    the nodes have other names, drawn among all node words
    reorder_edges   the edges in another order
    add_edge        one edge more, over which no path is cheaper than the cheapest (generator=random)

`other_target` leaves the graph as it is and asks for the way to another node.

An added edge makes the graph larger than those of the task by one.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.graph_path.draws import DIRECTED, EDGES, HEADER, SECOND, START, TARGET
from tracelab.tasks.shared.perturbing import KEPT, MAPPED, Change, Changed, kept, order_of, with_operands

SAME = ("optimal_cost",)
FAR = 1 << 20  # no path is as dear


def changes_of(words: int, max_weight: int, any_edge: bool) -> dict[str, Change]:
    """Changes by name. words: how many words of nodes; any_edge: may a graph of the task have any edge?"""
    found = {
        "rename_nodes": Change(partial(rename_nodes, words), MAPPED, SAME),
        "reorder_edges": Change(reorder_edges, KEPT, SAME),
    }
    return found | ({"add_edge": Change(partial(add_edge, max_weight), KEPT, SAME)} if any_edge else {})


def rename_nodes(words: int, problem: Integers, draw: np.random.Generator) -> Changed:
    """Edges and places stay in their order."""
    names = order_of(draw, words)
    changed = problem.copy()
    ends, rest = changed[START:HEADER], changed[HEADER:].reshape(-1, 3)
    ends[:] = np.where(ends < 0, ends, names[ends])
    rest[:, 0] = names[rest[:, 0]]
    edges = rest[: int(problem[EDGES])]
    edges[:, 1] = names[edges[:, 1]]
    return Changed(changed, lambda rows: with_operands(rows, names[rows[:, 1]]))


def reorder_edges(problem: Integers, draw: np.random.Generator) -> Changed:
    """Places, where there are some, stay behind them."""
    edges, places = _edges(problem)
    return kept(_stored(problem, edges[order_of(draw, len(edges))], places))


def add_edge(max_weight: int, problem: Integers, draw: np.random.Generator) -> Changed | None:
    """All pairs of nodes that no edge joins in either direction, and one may, are equally likely."""
    edges, places = _edges(problem)
    directed, start, goal = bool(problem[DIRECTED]), int(problem[START]), int(problem[TARGET])
    nodes, costs = _costs(edges, directed)
    joined = (costs < FAR) | (costs.T < FAR)
    costs = _least(costs)
    at, to = np.searchsorted(nodes, [start, goal])
    weights = draw.integers(1, max_weight, size=joined.shape, endpoint=True)
    around = costs[at, :, None] + weights + costs[None, :, to]
    if not directed:
        weights = np.triu(weights) + np.triu(weights, 1).T
        around = costs[at, :, None] + weights + costs[None, :, to]
        around = np.minimum(around, around.T)
    free = np.argwhere(~joined & (around >= costs[at, to]) & ~np.eye(len(nodes), dtype=bool))
    if len(free) == 0:
        return None
    a, b = draw.choice(free)
    new = np.array([[nodes[a], nodes[b], weights[a, b]]])
    return kept(_stored(problem, np.insert(edges, draw.integers(len(edges) + 1), new, axis=0), places))


def other_target(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """Another node that can be reached, each as likely. None where one of two targets is asked for."""
    if problem[SECOND] >= 0:
        return None
    start, (nodes, costs) = problem[START], _costs(_edges(problem)[0], bool(problem[DIRECTED]))
    reached = nodes[_least(costs)[np.searchsorted(nodes, start)] < FAR]
    reached = reached[(reached != start) & (reached != problem[TARGET])]
    if len(reached) == 0:
        return None
    changed = problem.copy()
    changed[TARGET] = draw.choice(reached)
    return Changed(changed)


def _costs(edges: NDArray[np.int64], directed: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """-> (nodes that have an edge, (n, n) what the edges between them cost, FAR where there is none)"""
    nodes = np.unique(edges[:, :2])
    a, b, weight = (*np.searchsorted(nodes, edges[:, :2]).T, edges[:, 2])
    costs = np.full((len(nodes), len(nodes)), FAR)
    costs[a, b] = weight
    if not directed:
        costs[b, a] = weight
    return nodes, costs


def _least(costs: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, n) costs of edges -> of cheapest paths (Floyd and Warshall)."""
    least = costs.copy()
    np.fill_diagonal(least, 0)
    for k in range(len(least)):
        least = np.minimum(least, least[:, k, None] + least[None, k, :])
    return least


def _edges(problem: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A stored problem's edges, (m, 3), and places, (nodes or 0, 3)."""
    rows = np.asarray(problem[HEADER:], np.int64).reshape(-1, 3)
    return rows[: int(problem[EDGES])], rows[int(problem[EDGES]) :]


def _stored(problem: Integers, edges: Integers, places: Integers) -> Integers:
    header = np.array(problem[:HEADER], np.int64)
    header[EDGES] = len(edges)
    return np.concatenate([header, edges.ravel(), places.ravel()])
