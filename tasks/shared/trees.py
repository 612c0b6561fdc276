"""A best-first search over states that have no place on a picture, drawn as the tree of its creations."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tracelab.tasks.shared.marks import without_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_LEGEND = "filled: closed, darker later; outlined: created\nline: solution; cross: first bad step"
MARKS = "o closed   + created   * solution"


class Step(NamedTuple):
    """A step of a trace: is a state closed (or created), which, and how it is written where it is created."""

    closes: bool
    state: Hashable
    label: str


class Node(NamedTuple):
    """A state in the tree: how deep it is, how it is written, the place of its parent or -1."""

    depth: int
    state: Hashable
    label: str
    parent: int


class Tree(NamedTuple):
    """nodes: in the order of their creation; closed: state -> the step that closed it; steps: how many."""

    nodes: list[Node]
    closed: dict[Hashable, int]
    steps: int


def tree_of(root: Step, steps: Iterable[Step]) -> Tree:
    """What a trace creates hangs below what it closed last; what it never created hangs nowhere."""
    nodes, closed, last, count = [Node(0, root.state, root.label, -1)], {}, 0, 0
    places = {root.state: 0}
    for count, step in enumerate(steps, 1):
        if step.closes:
            closed[step.state] = count - 1
            last = places.get(step.state, 0)
        else:
            places[step.state] = len(nodes)
            nodes.append(Node(nodes[last].depth + 1, step.state, step.label, last))
    return Tree(nodes, closed, count)


def in_order(nodes: list[Node]) -> Iterator[int]:
    """Places of all nodes, depth first."""
    below: dict[int, list[int]] = {}
    for k, node in enumerate(nodes):
        below.setdefault(node.parent, []).append(k)
    stack = [0]
    while stack:
        at = stack.pop()
        yield at
        stack += reversed(below.get(at, []))


def draw_tree(tree: Tree, path: Collection[Hashable]) -> list[str]:
    """A line a state, indented by depth; those on the path are marked."""
    lines = []
    for k in in_order(tree.nodes):
        node = tree.nodes[k]
        mark = "*" if node.state in path else "o" if node.state in tree.closed else "+"
        lines.append(f"{'  ' * node.depth}{mark} {node.label}")
    return lines


def plot_tree(ax: Axes, tree: Tree, path: Collection[Hashable], bad: str | None) -> None:
    """The tree from left to right, the solution as a line; bad: the first bad step in words."""
    nodes = tree.nodes
    where = {k: (nodes[k].depth, -line) for line, k in enumerate(in_order(nodes))}
    size = min(7.0, 220 / len(nodes))
    for k, node in enumerate(nodes):
        if node.parent >= 0:
            (x, y), (u, v) = where[node.parent], where[k]
            solved = node.state in path and nodes[node.parent].state in path
            style: Any = {"color": "#E69F00", "lw": 2.0} if solved else {"color": "#999999", "lw": 0.6}
            ax.plot([x, x, u], [y, v, v], zorder=1, **style)
        done = tree.closed.get(node.state)
        shade = "white" if done is None else (0.85 - 0.4 * done / max(1, tree.steps), 0.92, 1.0)
        box = {"boxstyle": "round,pad=0.2", "fc": shade, "ec": "#56B4E9", "lw": 0.6}
        ax.text(*where[k], node.label, fontsize=size, va="center", bbox=box, zorder=2)
    if bad is not None:
        ax.text(0.5, 0.0, f"x {bad}", color="#D55E00", fontsize=7)
    ax.set(xlim=(-0.2, 1.15 * max(n.depth for n in nodes) + 0.9), ylim=(-len(nodes), 1))
    without_axes(ax)
