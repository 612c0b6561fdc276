"""Backtracking traces for people: what is assigned after a step, and a chart of the whole search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracelab.core.ragged import Integers
from tracelab.search.backtracking.search import BACKTRACK, CONFLICT, DECIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#999999")
CONFLICT_COLOUR = "#D55E00"
PICTURE_LEGEND = "bars: assigned; outlined: decided\nred: conflict; cross: first bad step"


class Span(NamedTuple):
    """A variable had a value from step `begin` to before step `end` (the trace's length if to its end)."""

    variable: int
    value: int
    op: int
    begin: int
    end: int


def spans(rows: Integers, values: int) -> list[Span]:
    """What the steps say was assigned, and for how long; any rows do, legal or not."""
    trail: list[Span] = []
    undone: list[Span] = []
    for step, row in enumerate(rows):
        op, literal = int(row[0]), int(row[1])
        if op == CONFLICT or literal < 0:
            continue
        variable, value = divmod(literal, values)
        if op == BACKTRACK:
            places = [k for k, span in enumerate(trail) if span.variable == variable]
            cut = places[-1] if places else len(trail)
            undone += [span._replace(end=step) for span in trail[cut:]]
            del trail[cut:]
        trail.append(Span(variable, value, op, step, len(rows)))
    return undone + trail


def assigned(rows: Integers, values: int) -> dict[int, Span]:
    """Variable -> what it is after the steps."""
    return {span.variable: span for span in spans(rows, values) if span.end == len(rows)}


def plot_trail(
    ax: Axes, rows: Integers, values: Sequence[str], variables: Sequence[str], bad: int | None
) -> None:
    """Steps from left to right, a line a variable, a bar while it has a value; step `bad` is crossed."""
    from matplotlib.patches import Patch

    shown = rows[:bad]
    for span in spans(shown, len(values)):
        edge = "black" if span.op in (DECIDE, BACKTRACK) else "none"
        colour = COLOURS[span.value % len(COLOURS)]
        width = span.end - span.begin
        ax.barh(span.variable, width, left=span.begin, height=0.7, color=colour, edgecolor=edge, lw=0.8)
    for step, row in enumerate(shown):
        if row[0] == CONFLICT:
            ax.axvline(step + 0.5, color=CONFLICT_COLOUR, lw=1.5, zorder=0)
    if bad is not None and bad < len(rows) and rows[bad][1] >= 0:
        ax.plot(bad + 0.5, rows[bad][1] // len(values), "x", color=CONFLICT_COLOUR, ms=9, mew=2.2, zorder=5)
    ax.set(xlim=(0, max(len(rows), 1)), ylim=(len(variables) - 0.4, -0.6), xticks=[])
    ax.set_yticks(range(len(variables)), variables)
    ax.grid(visible=False)
    handles = [Patch(color=COLOURS[k % len(COLOURS)], label=name) for k, name in enumerate(values)]
    place: Any = {"loc": "upper right", "bbox_to_anchor": (1.0, -0.01), "borderaxespad": 0}
    ax.legend(handles=handles, **place, ncols=len(values), fontsize=6.5, handlelength=1)
