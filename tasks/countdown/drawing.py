"""A Countdown search drawn as a tree, for the terminal and on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelab.core.ragged import Integers
from tracelab.search.best_first.search import CLOSE
from tracelab.tasks.countdown.draws import HEADER, SIGNS, TARGET, USE_ALL
from tracelab.tasks.countdown.space import FIRST, SIGN, A, B
from tracelab.tasks.shared.trees import MARKS, Step, Tree, draw_tree, plot_tree, tree_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = f"{MARKS}   3+4=7 | 9: 7 and 9 are at hand after 3+4"
Numbers = tuple[int, ...]


def numbers_of(row: Integers) -> Numbers:
    """What is at hand after a step of a trace."""
    return tuple(sorted(int(n) for n in row[FIRST:-2] if n >= 0))


def move_of(row: Integers) -> str:
    """An operation in words; empty where a row has none."""
    if min(row[A], row[SIGN], row[B]) < 0:
        return ""
    return f"{row[A]}{SIGNS[row[SIGN]]}{row[B]}={row[FIRST]}"


def _label(numbers: Numbers, move: str) -> str:
    """The operation and what else is at hand."""
    rest = list(numbers)
    result = move.rpartition("=")[2]
    if result.isdecimal() and int(result) in rest:
        rest.remove(int(result))
    return " | ".join(part for part in (move, " ".join(map(str, rest))) if part)


def _tree(problem: Integers, trace: Integers) -> Tree:
    root = tuple(sorted(int(n) for n in problem[HEADER:]))
    steps = ((row[0] == CLOSE, numbers_of(row), _label(numbers_of(row), move_of(row))) for row in trace)
    return tree_of(Step(False, root, _label(root, "")), (Step(*step) for step in steps))


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


def draw_countdown(problem: Integers, trace: Integers, solution: Integers, step: int | None = None) -> str:
    """A line a state, indented by depth; the solution is marked if no step is given."""
    path = hands(problem, solution) if step is None else []
    rule = "using each number" if problem[USE_ALL] else "using some of the numbers"
    heading = f"make {problem[TARGET]} from {' '.join(str(n) for n in problem[HEADER:])}, {rule}"
    return "\n".join([heading, *draw_tree(_tree(problem, trace[:step]), path)])


def plot_countdown(ax: Axes, problem: Integers, trace: Integers, solution: Integers, bad: int | None) -> None:
    """The tree from left to right, the solution as a line, step `bad` crossed."""
    shown = None
    if bad is not None and bad < len(trace):
        shown = f"{move_of(trace[bad])} {numbers_of(trace[bad])}"
    plot_tree(ax, _tree(problem, trace[:bad]), hands(problem, solution), shown)
    ax.set_title(f"{problem[TARGET]} from {', '.join(str(n) for n in problem[HEADER:])}", fontsize=8)
