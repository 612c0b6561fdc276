"""A search of a game's tree drawn: positions below those that they come from, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from tracelab.core.ragged import Integers
from tracelab.search.game_tree.game import VALUES
from tracelab.search.game_tree.search import CUT, ENTER, OPS
from tracelab.tasks.shared.trees import Node, Tree, draw_tree, plot_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 120  # of a tree on a terminal
LEGEND = "* solution   o has a value   + has none yet   | the rest was cut"
PICTURE_LEGEND = (
    "moves, with what came back; filled: has a value, darker later\nline: solution; cross: first bad step"
)

Words = Callable[[int], str]  # a move -> how it is written


def tree_of(trace: Integers, words: Words, sides: tuple[str, str]) -> Tree:
    """What the steps say: a node for each that enters, a position's value where a step goes back from it.

    sides: who moves first, and who does not, as it is written.
    """
    nodes, closed, at = [Node(0, 0, "", -1)], dict[Hashable, int](), 0
    for step, (op, move, value) in enumerate(trace):
        if op == ENTER:
            label = f"{sides[nodes[at].depth % 2]}{words(int(move))}"
            nodes.append(Node(nodes[at].depth + 1, len(nodes), label, at))
            at = len(nodes) - 1
            continue
        end = " |" if op == CUT else ""
        nodes[at] = nodes[at]._replace(label=f"{nodes[at].label} {VALUES[int(value)]}{end}".strip())
        closed.setdefault(at, step)
        at = max(nodes[at].parent, 0)
    if not nodes[0].label:
        nodes[0] = nodes[0]._replace(label="?")
    return Tree(nodes, closed, len(trace))


def path_of(tree: Tree, solution: Integers, label: str) -> set[Hashable]:
    """The places of the problem's position, and of the first entered by the solution's move."""
    if len(solution) == 0:
        return {0}
    first = [
        k for k, node in enumerate(tree.nodes) if node.parent == 0 and f"{node.label} ".startswith(label)
    ]
    return {0, *first[:1]}


def draw_search(
    position: list[str],
    trace: Integers,
    solution: Integers,
    words: Words,
    sides: tuple[str, str],
    step: int | None,
) -> str:
    """A position, the tree of its search up to a step, and the solution."""
    tree = tree_of(trace if step is None else trace[: step + 1], words, sides)
    move = words(int(solution[0, 1])) if len(solution) else "none"
    lines = draw_tree(tree, path_of(tree, solution, f"{sides[0]}{move} "))
    more = len(lines) - MOST_LINES
    shown = [*lines[:MOST_LINES], *([f"... {more} more positions"] if more > 0 else [])]
    return "\n".join([*position, *shown, f"move: {move}"])


def plot_search(
    ax: Axes,
    trace: Integers,
    solution: Integers,
    words: Words,
    sides: tuple[str, str],
    bad: int | None,
) -> None:
    """The tree of a search up to its first bad step."""
    tree = tree_of(trace[:bad], words, sides)
    move = words(int(solution[0, 1])) if len(solution) else "none"
    wrong = None
    if bad is not None and bad < len(trace):
        op, entered, value = (int(number) for number in trace[bad])
        wrong = f"{OPS[op]} {words(entered) if op == ENTER else VALUES[value]}"
    plot_tree(ax, tree, path_of(tree, solution, f"{sides[0]}{move} "), wrong)
