"""Figures of learning curves, in the style of `analysis.figures`: PNG, PDF and SVG with their CSV.

learning_figures.learning(Path("figures/learning"), analysis.learning_curves("runs/study"))
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tracelab.analysis.learning import means, metrics_of
from tracelab.analysis.panels import ACROSS, SHARE, panels, save, styles_of


def learning(path: Path, curves: pl.DataFrame) -> None:
    """Figure of `learning_curves`, a panel per metric. A line per arm: the mean of seeds; thin: each seed."""
    whole, metrics, arms = means(curves), metrics_of(curves), styles_of(curves["arm"])
    with panels(path, metrics) as axes:
        for ax, metric in zip(axes, metrics, strict=True):
            for arm, style in arms.items():
                mine = curves.filter(arm=arm, metric=metric)
                for _, seed in mine.group_by("run", maintain_order=True):
                    ax.plot(seed["tokens"] / 1e6, seed["value"], lw=0.6, alpha=0.45, color=style["color"])
                mean = whole.filter(arm=arm, metric=metric)
                look = {"lw": 1.6, "ms": 4, "markevery": max(1, len(mean) // 6), "clip_on": False}
                ax.plot(mean["tokens"] / 1e6, mean["value"], label=arm, **look, **style)
            ax.set_ylim(SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share of held-out problems")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel("training tokens (millions)")
    seeds = curves.select("arm", "metric", "tokens", "value", "run", "seed", "n")
    save(path, pl.concat([whole, seeds], how="diagonal"))
