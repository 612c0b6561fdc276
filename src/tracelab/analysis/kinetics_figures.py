"""Figures of learning curves with what was fitted to them, in the style of `analysis.figures`.

kinetics_figures.fitted(Path("figures/kinetics"), curves, kinetics.fits(curves))
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.kinetics import SOLUTION, logistic
from tracelab.analysis.panels import ACROSS, SHARE, panels, save
from tracelab.plots import BLUE, GREEN

PLACES = 100  # of a drawn curve


def fitted(path: Path, curves: pl.DataFrame, fits: pl.DataFrame) -> None:
    """Figure of `kinetics.fits`, a panel per arm: shares at validations, and each run's curves. Ticks at the
    bottom are midpoints.
    """
    arms, metrics = sorted(set(fits["arm"])), fits["metric"].unique(maintain_order=True).to_list()
    with panels(path, arms) as axes:
        for ax, arm in zip(axes, arms, strict=True):
            for metric in metrics:
                colour = BLUE if metric == SOLUTION else GREEN
                mine = curves.filter(arm=arm, metric=metric)
                if mine.is_empty():  # an arm of runs that did not measure it
                    continue
                look = {"ls": "", "marker": "o", "ms": 2, "alpha": 0.4, "color": colour}
                ax.plot(mine["tokens"], mine["value"], label=metric.replace("_", " "), **look)
                tokens = mine["tokens"].to_numpy()
                x = np.geomspace(max(tokens.min(), 1), tokens.max(), PLACES)
                for row in fits.filter(pl.col("why").is_null(), arm=arm, metric=metric).iter_rows(named=True):
                    y = logistic(x, row["midpoint"], row["slope"], row["ceiling"])
                    ax.plot(x, y, lw=1, color=colour)
                    ax.plot([row["midpoint"]], [0], "|", color=colour, ms=9, mew=1.2)
            ax.set(xscale="log", ylim=SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share of held-out problems")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel("training tokens")
    save(path, fits)
