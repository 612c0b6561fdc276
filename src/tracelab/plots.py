"""The style of all figures, colour-blind safe: PNG and PDF, each with its data as CSV beside it.

    with figure(path, 5, 3) as (fig, axes): ...

The environment may name other formats, or none: TRACELAB_FORMATS=svg,png. The data is written whatever it
says.
"""

from __future__ import annotations

import csv
import os
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
VARIABLE, FORMATS = "TRACELAB_FORMATS", ("png", "pdf", "svg")
DATED = {"pdf": "CreationDate", "svg": "Date"}  # left out: the same data are the same file
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
    formats: Sequence[str] | None = None,
) -> Iterator[tuple[Figure, Any]]:
    """A figure in the house style, saved as `<path>.<format>` in these formats at the end of the block.

    None: those of the environment, or PNG and PDF. ValueError for what is none of FORMATS.
    """
    suffixes = asked_formats() if formats is None else formats
    with plt.rc_context({**STYLE, "svg.hashsalt": path.name}):
        fig, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
        yield fig, axes
        if not suffixes:
            plt.close(fig)
            return
        fig.draw_without_rendering()  # lays it out: once, not for each format anew
        fig.set_layout_engine("none")
        around = fig.get_tightbbox().padded(plt.rcParams["savefig.pad_inches"])
        for suffix in suffixes:
            with whole(path.with_name(f"{path.name}.{suffix}")) as partial:
                dated = {DATED[suffix]: None} if suffix in DATED else {}
                fig.savefig(partial, format=suffix, bbox_inches=around, metadata=dated)
        plt.close(fig)


def asked_formats() -> list[str]:
    """Formats that the environment asks for, or PNG and PDF. ValueError for what is none of FORMATS."""
    asked = os.environ.get(VARIABLE)
    named = ["png", "pdf"] if asked is None else asked.replace(",", " ").lower().split()
    if unknown := [name for name in named if name not in FORMATS]:
        raise ValueError(f"{VARIABLE}={asked}: {unknown[0]} is no format; choose from {', '.join(FORMATS)}")
    return named


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The data of a figure, beside it."""
    beside = path.with_name(f"{path.name}.csv")
    with whole(beside) as partial, partial.open("w", newline="", encoding=UTF8) as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
