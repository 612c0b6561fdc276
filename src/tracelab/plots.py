"""The style of all figures, colour-blind safe: PNG and PDF, each with its data as CSV beside it.

with figure(path, 5, 3) as (fig, axes): ...
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tracelab.core.files import UTF8, whole

# Okabe and Ito's palette
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999",
)  # fmt: skip
FIELDS = ("value", "low", "high", "n")  # of an estimate
STYLE: Any = {
    "figure.dpi": 150,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "pdf.fonttype": 42,
}


@contextmanager
def figure(
    path: Path,
    width: float,
    height: float,
    columns: int = 1,
    rows: int = 1,
    suffixes: Sequence[str] = (".png", ".pdf"),
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the house style, saved as path.png and path.pdf at the end of the block."""
    with plt.rc_context({**STYLE, "svg.hashsalt": path.name}):
        fig, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
        yield fig, axes
        for suffix in suffixes:
            with whole(path.with_suffix(suffix)) as partial:
                fig.savefig(partial, format=suffix.removeprefix("."))
        plt.close(fig)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The data of a figure, beside it."""
    with whole(path.with_suffix(".csv")) as partial, partial.open("w", newline="", encoding=UTF8) as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
