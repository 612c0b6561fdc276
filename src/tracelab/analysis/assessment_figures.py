"""Figures of what a model finds likelier, in the style of `analysis.figures`: PNG, PDF, SVG with their CSV.

assessment_figures.assessed(Path("figures/assessment"), assessment.by_damage(table))
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.panels import SHARE, bars, ends, panels, save
from tracelab.plots import BLUE, GREY, ORANGE

SHOWN = {
    "per_token": ("whole trace, per token", {"color": BLUE, "marker": "o"}),
    "first": ("first changed token", {"color": ORANGE, "marker": "s"}),
}


def assessed(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `assessment.by_damage`: a panel per arm and test set, a row per kind and rate. The line is
    what a model has that cannot tell.
    """
    groups = list(frame.group_by("arm", "split", maintain_order=True))
    most = max(len(part) for _, part in groups)
    with panels(path, [f"{arm}, {split}" for (arm, split), _ in groups], 3.0, 0.9 + 0.17 * most) as axes:
        for ax, (_, part) in zip(axes, groups, strict=True):
            ax.axvline(0.5, color=GREY, lw=0.8)
            for k, (name, (label, style)) in enumerate(SHOWN.items()):
                x, dx = bars(part, (name, f"{name}_low", f"{name}_high"))
                y = np.arange(len(part)) + 0.2 * (k - 0.5)
                ax.errorbar(x, y, xerr=dx, ls="", ms=3.5, lw=1, label=label, **style)
            damage = [f"{kind} {100 * rate:g} %" for kind, rate in part.select("kind", "rate").rows()]
            ax.set_yticks(range(len(part)), damage)
            ax.set(xlim=SHARE, xlabel=f"valid trace likelier (n = {ends(part, 'n', 'first_n')}, 95 %)")
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
    save(path, frame)
