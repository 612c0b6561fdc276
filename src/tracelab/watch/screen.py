"""States of runs as lines of a terminal, however narrow: what matters least is left out first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tracelab.core.terminal import counted
from tracelab.watch.reading import POINTS
from tracelab.watch.states import GOING_ON, STATUSES, State

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"
LEAST_ARM = 14  # columns that an arm's name has before others are left out
MOST_ARM = 60  # columns that it has at most, of runs that differ in much; the folder stands beside it
COLOURS = {"done": "green", "failed": "red", "interrupted": "yellow"} | dict.fromkeys(GOING_ON, "cyan")


class Column(NamedTuple):
    """A column: heading, a cell of a state, and how long it stays in a narrow terminal (0: always)."""

    heading: str
    cell: Callable[[State], str]
    right: bool = True
    leaves: int = 0


def columns_of(bars: str) -> list[Column]:
    """All columns but the arm. bars: signs of a sparkline."""
    return [
        Column("seed", lambda state: str(state.seed)),
        Column("status", lambda state: state.status, right=False),
        Column("", lambda state: "" if state.used is None else f"{int(100 * state.used)}%"),
        Column("loss", lambda state: state.loss, leaves=2),
        Column("right", lambda state: percent(state.right)),
        Column("", lambda state: sparkline(state.right, bars), right=False),
        Column("valid", lambda state: percent(state.valid)),
        Column("", lambda state: sparkline(state.valid, bars), right=False, leaves=3),
        Column("left", lambda state: "" if state.left is None else clock(state.left), leaves=1),
        Column("folder", lambda state: str(state.folder), right=False, leaves=4),
    ]


def screen(
    states: Sequence[State], width: int | None = None, height: int | None = None, bars: str = BARS
) -> Text:
    """A line on all runs, headings, and a line per run.

    width, height: of the terminal; None: as much as is needed. Where there are more runs than lines, those
    that are done are left out first.
    """
    shown = fitting(states, None if height is None else max(1, height - 3))
    chosen = chosen_columns(states, columns_of(bars), width)
    widths = [width_of(column, states) for column in chosen]
    names = min(MOST_ARM, max([3, *(cell_len(state.arm) for state in states)]))
    arm = names if width is None else max(3, min(names, width - sum(widths) - len(widths)))
    text = Text(f"{summary(states, len(shown))}\n", no_wrap=True, overflow="crop")
    text.append(line("arm", [column.heading for column in chosen], chosen, [arm, *widths]), "bold")
    for state in shown:
        cells = [column.cell(state) for column in chosen]
        text.append("\n").append(line(state.arm, cells, chosen, [arm, *widths]), COLOURS[state.status])
    return text


def line(arm: str, cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    """A line of cells, each as wide as its column."""
    parts = [set_cell_size(arm, widths[0])]
    for text, column, width in zip(cells, columns, widths[1:], strict=True):
        parts.append(" " * (width - cell_len(text)) + text if column.right else set_cell_size(text, width))
    return " ".join(parts).rstrip()


def chosen_columns(states: Sequence[State], columns: list[Column], width: int | None) -> list[Column]:
    """The columns that leave room for the arm's name in so many columns of a terminal."""
    if width is None:
        return columns
    arm = min(LEAST_ARM, max([3, *(cell_len(state.arm) for state in states)]))
    while sum(width_of(column, states) + 1 for column in columns) + arm > width:
        goes = max(columns, key=lambda column: column.leaves)
        if goes.leaves == 0:
            return columns
        columns = [column for column in columns if column is not goes]
    return columns


def width_of(column: Column, states: Sequence[State]) -> int:
    """How wide a column is."""
    return max([cell_len(column.heading), *(cell_len(column.cell(state)) for state in states)])


def fitting(states: Sequence[State], room: int | None) -> Sequence[State]:
    """So many of the states, in their order: those that go on first, and those that are done last."""
    if room is None or len(states) <= room:
        return states
    urgency = {status: k for k, status in enumerate((*GOING_ON, "failed", "interrupted", "done"))}
    first = sorted(range(len(states)), key=lambda i: urgency[states[i].status])[:room]
    return [states[i] for i in sorted(first)]


def summary(states: Sequence[State], shown: int) -> str:
    """`12 runs: 2 training, 10 done`, and how many have no line."""
    counts = Counter(state.status for state in states)
    words = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    hidden = len(states) - shown
    return f"{counted(len(states), 'run')}{': ' if words else ''}{words}" + (
        f" ({hidden} not shown)" if hidden else ""
    )


def percent(shares: Sequence[float]) -> str:
    """The last share, in per cent."""
    return f"{100 * shares[-1]:.0f}%" if shares else ""


def sparkline(shares: Sequence[float], bars: str) -> str:
    """The last shares as bars, of which the tallest is 1."""
    return "".join(bars[min(int(share * len(bars)), len(bars) - 1)] for share in shares[-POINTS:])


def clock(seconds: float) -> str:
    """Hours and minutes: `1:05`; of less than an hour, minutes and seconds: `5'09`."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}'{whole % 60:02}"
