"""A sudoku drawn: as text for the terminal, and on matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.search.backtracking.search import BACKTRACK, CONFLICT, DECIDE
from tracelab.tasks.shared.marks import without_axes
from tracelab.tasks.shared.trails import CONFLICT_COLOUR, Span, assigned
from tracelab.tasks.sudoku.grid import BOXES, HEADER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = "3 clue   3? decided   3+ propagated or solved   . blank   ! cell without a digit"
PICTURE_LEGEND = (
    "black: clue; blue: propagated, darker later; orange: decided\nred: no digit left; cross: first bad step"
)
BLUES = ((0.42, 0.68, 0.84), (0.03, 0.19, 0.42))


def clues_of(problem: Integers) -> Integers:
    """(size, size): digits, 0 where blank."""
    size = int(problem[0])
    return np.asarray(problem[HEADER:]).reshape(size, size)


def inside(variable: int, stride: int, size: int) -> tuple[int, int] | None:
    """(y, x) of a variable; None outside the grid."""
    y, x = divmod(variable, stride)
    return (y, x) if variable >= 0 and y < size and x < size else None


def draw_sudoku(
    problem: Integers, trace: Integers, solution: Integers, stride: int, step: int | None = None
) -> str:
    """The grid after the trace's first `step` steps; the solution if no step is given."""
    clues = clues_of(problem)
    size = len(clues)
    rows, columns = BOXES[size]
    cells = {(y, x): str(clues[y, x]) if clues[y, x] else "." for y in range(size) for x in range(size)}
    if step is None:
        for k, row in enumerate(solution[: size * size]):
            if not clues[divmod(k, size)]:
                cells[divmod(k, size)] = f"{row[1] + 1}+"
    else:
        for span in assigned(trace[:step], stride).values():
            at = inside(span.variable, stride, size)
            if at is not None and not clues[at]:
                cells[at] = f"{span.value + 1}{'?' if span.op in (DECIDE, BACKTRACK) else '+'}"
        if 0 < step <= len(trace) and trace[step - 1][0] == CONFLICT:
            at = inside(int(trace[step - 1][2]), stride, size)
            cells |= {} if at is None else {at: "!"}
    lines = []
    for y in range(size):
        groups = [
            "".join(cells[y, x].ljust(3) for x in range(g, g + columns)) for g in range(0, size, columns)
        ]
        lines.append("| ".join(groups).rstrip())
        if (y + 1) % rows == 0 and y + 1 < size:
            lines.append("+-".join("-" * 3 * columns for _ in groups))
    return "\n".join(lines)


def plot_sudoku(
    ax: Axes, problem: Integers, trace: Integers, solution: Integers, stride: int, bad: int | None
) -> None:
    """Clues, what is assigned before step `bad` (or at the end), the last conflict, the bad step."""
    clues = clues_of(problem)
    size = len(clues)
    rows, columns = BOXES[size]
    for k in range(size + 1):
        ax.axhline(k - 0.5, color="black", lw=1.6 if k % rows == 0 else 0.4)
        ax.axvline(k - 0.5, color="black", lw=1.6 if k % columns == 0 else 0.4)
    font: Any = {"ha": "center", "va": "center", "fontsize": 60 / size}
    for y, x in np.argwhere(clues > 0):
        ax.text(x, y, str(clues[y, x]), weight="bold", **font)
    shown = trace[:bad]
    for span in assigned(shown, stride).values():
        at = inside(span.variable, stride, size)
        if at is not None and not clues[at]:
            ax.text(at[1], at[0], str(span.value + 1), color=_colour(span, len(shown)), **font)
    if bad is not None and bad < len(trace):
        op, literal, named = (int(v) for v in trace[bad][:3])
        at = inside(named if op == CONFLICT else literal // stride, stride, size)
        if at is not None:
            ax.plot(at[1], at[0], "x", color=CONFLICT_COLOUR, ms=12, mew=2.2, zorder=5)
    if len(shown) and shown[-1][0] == CONFLICT:
        at = inside(int(shown[-1][2]), stride, size)
        if at is not None:
            ax.text(at[1], at[0], "!", color=CONFLICT_COLOUR, weight="bold", **font)
    ax.set(xlim=(-0.6, size - 0.4), ylim=(size - 0.4, -0.6), aspect="equal")
    without_axes(ax)


def _colour(span: Span, steps: int) -> str | tuple[float, ...]:
    """Orange for what was decided; blue for what follows, from light to dark."""
    if span.op in (DECIDE, BACKTRACK):
        return "#E69F00"
    share = span.begin / max(steps, 1)
    return tuple((1 - share) * light + share * dark for light, dark in zip(*BLUES, strict=True))
