"""What figures across arms are made of: panels, an arm's colour and marker, error bars, the CSV beside them.

with panels(path, ["wilson", "dfs"]) as axes:
    axes[0].errorbar(*bars(frame), **styles_of(["correct"])["correct"])
save(path, frame)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tracelab.plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, asked_formats, figure, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
MARKERS = "os^DvP"
ACROSS = 3  # panels beside each other
SHARE = (-0.04, 1.04)
OWN = ("correct", "corrupted", "solution_only", "swapped")  # arms that look alike in all figures
ENDS = ("value", "low", "high")


def style_of(k: int) -> dict[str, str]:
    """The k-th arm's colour and marker; colours repeat with other markers."""
    return {"color": PALETTE[k % 6], "marker": MARKERS[(k + k // 6) % 6]}


def styles_of(arms: Iterable[str]) -> dict[str, dict[str, str]]:
    """Arm -> its colour and marker, in alphabetical order. Those of OWN have theirs whatever stands beside
    them; where one of them is shown, no other arm has it.
    """
    names = sorted(set(arms))
    others = [name for name in names if name not in OWN]
    first = len(OWN) if len(others) < len(names) else 0
    places = {name: k for start, of in ((0, OWN), (first, others)) for k, name in enumerate(of, start)}
    return {name: style_of(places[name]) for name in names}


@contextmanager
def panels(path: Path, names: Sequence[str], width: float = 2.5, height: float = 2.3) -> Iterator[list[Any]]:
    """A figure of one panel per name, titled so; below all stands a legend of what any of them shows, once,
    but for panels with a legend of their own.
    """
    columns = min(ACROSS, len(names))
    rows = -(-len(names) // columns)
    across = max(width * columns, 4.2)
    formats = {*asked_formats(), "svg"}  # which the report takes into its page
    with figure(path, across, height * rows + 0.4, columns, rows, sorted(formats)) as (fig, axes):
        every = list(np.atleast_1d(axes).ravel())
        for ax, name in zip(every, names, strict=False):
            ax.set_title(name.replace("_", " "), loc="left", fontsize=9)
        for ax in every[len(names) :]:
            ax.set_visible(False)
        yield every[: len(names)]
        _legend(fig, every[: len(names)], across)


def _legend(fig: Figure, axes: Sequence[Any], across: float) -> None:
    found: dict[str, Any] = {}
    for ax in axes:
        if ax.get_legend() is None:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
    handles, labels = list(found.values()), list(found)
    if handles:
        fits = int(across * 14 / (max(map(len, labels)) + 5))
        columns = max(1, min(len(labels), fits))
        fig.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)


def ends(part: pl.DataFrame, *counts: str) -> str:
    """`12–512`, the least and the greatest count in any of the columns, of those that are above 0."""
    found = {n for name in counts for n in part[name].drop_nulls().to_list() if n}
    return "–".join(str(n) for n in sorted({min(found, default=0), max(found, default=0)}))


def save(path: Path, frame: pl.DataFrame) -> None:
    """A frame as the CSV beside a figure."""
    write_csv(path, frame.columns, frame.rows())


def bars(part: pl.DataFrame, names: Sequence[str] = ENDS) -> tuple[Any, Any]:
    """-> (values, distances of their intervals' ends), for `errorbar`."""
    value, low, high = (part[name].cast(pl.Float64).to_numpy() for name in names)
    return value, np.maximum([value - low, high - value], 0)
