"""Figures of what a model remembers, in the style of `analysis.figures`: PNG, PDF and SVG with their CSV.

probe_figures.memorised(Path("figures/memorisation"), memorisation.by_set(table))
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.panels import SHARE, bars, panels, save
from tracelab.plots import BLUE, GREEN, RED


def memorised(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `memorisation.by_set`: a panel per arm, a row per set."""
    shown = {
        "solution": ("solution valid", {"color": BLUE, "marker": "o"}),
        "origin": ("of the same problems, as trained", {"color": BLUE, "marker": "o", "mfc": "white"}),
        "trace": ("trace valid", {"color": GREEN, "marker": "^"}),
        "recited": ("recited in vain", {"color": RED, "marker": "s"}),
    }
    arms = frame["arm"].unique(maintain_order=True).to_list()
    sets = frame["split"].unique(maintain_order=True).to_list()
    with panels(path, arms, 3.0, 0.9 + 0.22 * len(sets)) as axes:
        for ax, arm in zip(axes, arms, strict=True):
            mine = frame.filter(arm=arm)
            for k, (name, (label, style)) in enumerate(shown.items()):
                part = mine.filter(pl.col(name).is_not_null())
                x, dx = bars(part, (name, f"{name}_low", f"{name}_high"))
                y = np.array([sets.index(split) for split in part["split"]]) + 0.18 * (k - 1.5)
                ax.errorbar(x, y, xerr=dx, ls="", ms=3.5, lw=1, label=label, **style)
            ax.set_yticks(range(len(sets)), [name.replace("_", " ") for name in sets])
            counts = mine["n"].to_numpy()
            ax.set(xlim=SHARE, xlabel=f"share (n = {counts.min()}–{counts.max()}, 95 %)")
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
    save(path, frame)
