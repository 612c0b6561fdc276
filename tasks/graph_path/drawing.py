"""A graph problem drawn: as adjacency lists for the terminal, as a graph on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelab.core.ragged import Integers
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.graph_path.draws import DIRECTED, EDGES, HEADER, SECOND, START, TARGET
from tracelab.tasks.shared.marks import bring_forward, without_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_LEGEND = "filled: closed, darker later; outlined: created\nline: solution; cross: first bad step"
LEGEND = "S start   G goal   + created   o closed   * solution   5(3) an edge to node 5 at cost 3"


def edges_of(problem: Integers) -> list[tuple[int, int, int]]:
    """(a, b, weight) of each edge, in the prompt's order."""
    end = HEADER + 3 * int(problem[EDGES])
    return [(int(a), int(b), int(w)) for a, b, w in problem[HEADER:end].reshape(-1, 3)]


def places_of(problem: Integers) -> dict[int, tuple[int, int]]:
    """(x, y) of each node; none without coordinates."""
    begin = HEADER + 3 * int(problem[EDGES])
    return {int(a): (int(x), int(y)) for a, x, y in problem[begin:].reshape(-1, 3)}


def draw_graph(problem: Integers, trace: Integers, solution: Integers, step: int | None = None) -> str:
    """A line a node, with what the trace up to `step` did to it; the solution if no step is given."""
    edges, places = edges_of(problem), places_of(problem)
    beside: dict[int, list[str]] = {node: [] for edge in edges for node in edge[:2]}
    for a, b, weight in edges:
        cost = "" if weight == 1 else f"({weight})"
        beside[a].append(f"{b}{cost}")
        if not problem[DIRECTED]:
            beside[b].append(f"{a}{cost}")
    marks = {int(row[1]): "o" if row[0] == CLOSE else "+" for row in trace[:step]}
    marks |= {int(row[1]): "*" for row in solution} if step is None else {}
    ends = {int(problem[START]): "S", int(problem[TARGET]): "G", int(problem[SECOND]): "G"}
    arrow = "->" if problem[DIRECTED] else "--"
    return "\n".join(
        f"{ends.get(node, ' ')}{marks.get(node, ' ')} {node:>3}"
        + (f" at {places[node][0]},{places[node][1]}" if node in places else "")
        + f" {arrow} {' '.join(others)}".rstrip()
        for node, others in sorted(beside.items())
    )


def plot_graph(ax: Axes, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
    """Closed nodes shaded by order, created ones outlined, the solution as a line, step `bad` crossed."""
    import networkx as nx

    graph: Any = nx.DiGraph() if problem[DIRECTED] else nx.Graph()
    edges = edges_of(problem)
    graph.add_weighted_edges_from(edges)
    where = {a: (x, -y) for a, (x, y) in places_of(problem).items()}
    where = where or nx.kamada_kawai_layout(graph.to_undirected(), weight=None)
    closed = {int(row[1]): i for i, row in enumerate(trace[:bad]) if row[0] == CLOSE}
    created = {int(row[1]) for row in trace[:bad]}
    path = [int(row[1]) for row in solution if int(row[1]) in where]
    shade = [0.15 + 0.5 * closed[a] / max(1, len(trace)) if a in closed else 0.0 for a in graph]
    size = min(260.0, 5000 / len(graph))
    style: dict[str, Any] = {"ax": ax, "node_size": size}
    heads = {"arrowsize": 7} if problem[DIRECTED] else {}
    nx.draw_networkx_edges(graph, where, edge_color="#999999", width=0.8, **heads, **style)
    ax.plot([where[a][0] for a in path], [where[a][1] for a in path], color="#E69F00", lw=3.0, zorder=1)
    outlines = ["#56B4E9" if a in created else "#999999" for a in graph]
    nx.draw_networkx_nodes(
        graph, where, node_color=shade, cmap="Blues", vmin=0, vmax=1, edgecolors=outlines, **style
    )
    names = {a: {int(problem[START]): "S"}.get(a, str(a)) for a in graph}
    names |= {int(t): "G" for t in (problem[TARGET], problem[SECOND]) if t >= 0}
    letters = nx.draw_networkx_labels(graph, where, names, font_size=min(8.0, 90 / len(graph) ** 0.7), ax=ax)
    bring_forward(letters.values())
    if len({w for _, _, w in edges}) > 1:
        costs = {(a, b): w for a, b, w in edges}
        nx.draw_networkx_edge_labels(
            graph, where, costs, font_size=5, ax=ax, bbox={"lw": 0, "pad": 0, "fc": "w"}
        )
    if bad is not None and bad < len(trace) and int(trace[bad][1]) in where:
        ax.plot(*where[int(trace[bad][1])], "x", color="#D55E00", ms=14, mew=2.2, zorder=5)
    without_axes(ax)
