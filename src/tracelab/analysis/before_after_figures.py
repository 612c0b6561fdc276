"""Figures of what post-training changed, in the style of `analysis.figures`: PNG, PDF and SVG with their CSV.

before_after_figures.passed(Path("figures/passes"), before_after.passes(table))
before_after_figures.moved(Path("figures/moves"), before_after.moves(table))
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.before_after import NAMES
from tracelab.analysis.panels import SHARE, bars, panels, save
from tracelab.plots import BLUE, GREEN, GREY, ORANGE, RED

COLOURS = dict(zip(NAMES, (GREEN, RED, BLUE, GREY), strict=True))


def moved(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `before_after.moves`: a panel per arm and test set, a bar per verdict."""
    groups = list(frame.group_by("arm", "split", maintain_order=True))
    most = max(len(part) for _, part in groups)
    with panels(path, [f"{arm}, {split}" for (arm, split), _ in groups], 3.4, 0.8 + 0.2 * most) as axes:
        for ax, (_, part) in zip(axes, groups, strict=True):
            labels = [name.replace("_", " ") for name in part["of"]]
            whole, left = part.select(pl.sum_horizontal(NAMES)).to_series().to_numpy(), np.zeros(len(part))
            for name, colour in COLOURS.items():
                width = part[name].to_numpy() / whole
                ax.barh(labels, width, left=left, height=0.7, color=colour, label=name)
                left += width
            ax.set(xlim=(0, 1), xlabel=f"share of problems (n = {part['n'].to_numpy().min()}, all seeds)")
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
    save(path, frame)


def passed(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `before_after.passes`: a panel per arm and test set. Hollow: before post-training."""
    groups = list(frame.group_by("arm", "split", maintain_order=True))
    shown = {"solution": ("right", BLUE), "both": ("right with a valid trace", ORANGE)}
    with panels(path, [f"{arm}, {split}" for (arm, split), _ in groups]) as axes:
        for ax, (_, part) in zip(axes, groups, strict=True):
            for of, (words, colour) in shown.items():
                for when, look in (("before", {"ls": ":", "mfc": "white"}), ("after", {"ls": "-"})):
                    mine = part.filter(of=of, when=when)
                    y, dy = bars(mine)
                    style = {"marker": "o", "ms": 4, "lw": 1.2, "color": colour, **look}
                    ax.errorbar(mine["k"], y, dy, label=f"{words}, {when}", **style)
            ax.set(xscale="log", ylim=SHARE, xlabel="k", ylabel="pass@k")
    save(path, frame)
