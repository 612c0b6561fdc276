"""A Countdown search drawn: as an indented tree for the terminal, as a tree on matplotlib axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tracelab.core.ragged import Integers
from tracelab.search.best_first import CLOSE
from tracelab.tasks._countdown_draws import HEADER, SIGNS, TARGET, USE_ALL
from tracelab.tasks._countdown_space import FIRST, SIGN, A, B

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_LEGEND = "filled: closed, darker later; outlined: created\nline: solution; cross: first bad step"
LEGEND = "o closed   + created   * solution   3+4=7 | 9: 7 and 9 are at hand after 3+4"
Numbers = tuple[int, ...]


class Node(NamedTuple):
    """A state in the tree of a trace: how deep, what was done to reach it, the place of its parent or -1."""

    depth: int
    numbers: Numbers
    move: str
    parent: int


def numbers_of(row: Integers) -> Numbers:
    """What is at hand after a step of a trace."""
    return tuple(sorted(int(n) for n in row[FIRST:-2] if n >= 0))


def move_of(row: Integers) -> str:
    """An operation in words; empty where a row has none."""
    if min(row[A], row[SIGN], row[B]) < 0:
        return ""
    return f"{row[A]}{SIGNS[row[SIGN]]}{row[B]}={row[FIRST]}"


def tree_of(problem: Integers, trace: Integers) -> tuple[list[Node], dict[Numbers, int]]:
    """-> (nodes in the order of their creation, (numbers -> step) of what was closed)."""
    root = tuple(sorted(int(n) for n in problem[HEADER:]))
    nodes, closed, last = [Node(0, root, "", -1)], {}, 0
    places = {root: 0}
    for step, row in enumerate(trace):
        numbers = numbers_of(row)
        if row[0] == CLOSE:
            closed[numbers] = step
            last = places.get(numbers, 0)
        else:
            places[numbers] = len(nodes)
            nodes.append(Node(nodes[last].depth + 1, numbers, move_of(row), last))
    return nodes, closed


def hands(problem: Integers, solution: Integers) -> list[Numbers]:
    """What is at hand before and after each equation, as far as they can be followed."""
    hand = sorted(int(n) for n in problem[HEADER:])
    reached = [tuple(hand)]
    for row in solution:
        for operand in (int(row[A]), int(row[B])):
            if operand not in hand:
                return reached
            hand.remove(operand)
        hand = sorted([*hand, int(row[FIRST])])
        reached.append(tuple(hand))
    return reached


def in_order(nodes: list[Node], at: int = 0) -> Iterator[int]:
    """Places of a node and all below it, depth first."""
    yield at
    for k, node in enumerate(nodes):
        if node.parent == at:
            yield from in_order(nodes, k)


def draw_countdown(problem: Integers, trace: Integers, solution: Integers, step: int | None = None) -> str:
    """A line a state, indented by depth; the solution is marked if no step is given."""
    nodes, closed = tree_of(problem, trace[:step])
    path = hands(problem, solution) if step is None else []
    rule = "using each number" if problem[USE_ALL] else "using some of the numbers"
    lines = [f"make {problem[TARGET]} from {' '.join(str(n) for n in problem[HEADER:])}, {rule}"]
    for k in in_order(nodes):
        node = nodes[k]
        mark = "*" if node.numbers in path else "o" if node.numbers in closed else "+"
        lines.append(f"{'  ' * node.depth}{mark} {_label(node)}")
    return "\n".join(lines)


def _label(node: Node) -> str:
    """The operation and what else is at hand."""
    rest = list(node.numbers)
    result = node.move.rpartition("=")[2]
    if result.isdecimal() and int(result) in rest:
        rest.remove(int(result))
    return " | ".join(part for part in (node.move, " ".join(map(str, rest))) if part)


def plot_countdown(ax: Axes, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
    """The tree from left to right, the solution as a line, step `bad` crossed."""
    nodes, closed = tree_of(problem, trace[:bad])
    where = {k: (nodes[k].depth, -line) for line, k in enumerate(in_order(nodes))}
    path = hands(problem, solution)
    on_path = {k for k, node in enumerate(nodes) if node.numbers in path}
    size = min(7.0, 220 / len(nodes))
    for k, node in enumerate(nodes):
        if node.parent >= 0:
            (x, y), (u, v) = where[node.parent], where[k]
            solved = k in on_path and node.parent in on_path
            style: Any = {"color": "#E69F00", "lw": 2.0} if solved else {"color": "#999999", "lw": 0.6}
            ax.plot([x, x, u], [y, v, v], zorder=1, **style)
        done = closed.get(node.numbers)
        shade = "white" if done is None else (0.85 - 0.4 * done / max(1, len(trace)), 0.92, 1.0)
        box = {"boxstyle": "round,pad=0.2", "fc": shade, "ec": "#56B4E9", "lw": 0.6}
        ax.text(*where[k], _label(node), fontsize=size, va="center", bbox=box, zorder=2)
    if bad is not None and bad < len(trace):
        ax.text(0.5, 0.0, f"x {move_of(trace[bad])} {numbers_of(trace[bad])}", color="#D55E00", fontsize=7)
    ax.set(xticks=[], yticks=[], xlim=(-0.2, max(n.depth for n in nodes) + 0.9), ylim=(-len(nodes), 1))
    ax.set_title(f"{problem[TARGET]} from {', '.join(str(n) for n in problem[HEADER:])}", fontsize=8)
    ax.grid(visible=False)
