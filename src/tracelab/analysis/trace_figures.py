"""Figures of what traces consist of, made like those in `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.panels import ACROSS, SHARE, bars, panels, save, style_of


def minimality(path: Path, found: pl.DataFrame, splits: Sequence[str]) -> None:
    """A panel per test set, for each arm (of `minimality.minimal`) the share of a trace's steps that the
    solution needs: behind right solutions, 95 %.
    """
    arms = sorted(set(found["arm"]))
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for k, arm in enumerate(arms):
                mine = found.filter(arm=arm, split=split)
                y, dy = bars(mine, ("needed", "needed_low", "needed_high"))
                ax.errorbar([k] * len(y), y, dy, ls="", ms=5, lw=1.2, label=arm, **style_of(k))
            ax.set(xlim=(-0.5, len(arms) - 0.5), ylim=SHARE, xticks=[])
        for ax in axes[::ACROSS]:
            ax.set_ylabel("steps that are needed")
    save(path, found)
