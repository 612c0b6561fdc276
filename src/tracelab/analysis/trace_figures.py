"""Figures of what traces consist of, made like those in `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.panels import ACROSS, SHARE, bars, panels, save, styles_of
from tracelab.core.types import PROVENANCES


def minimality(path: Path, found: pl.DataFrame, splits: Sequence[str]) -> None:
    """A panel per test set, for each arm (of `minimality.minimal`) the share of a trace's steps that the
    solution needs: behind right solutions, 95 %.
    """
    arms = styles_of(found["arm"])
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for k, (arm, style) in enumerate(arms.items()):
                mine = found.filter(arm=arm, split=split)
                y, dy = bars(mine, ("needed", "needed_low", "needed_high"))
                ax.errorbar([k] * len(y), y, dy, ls="", ms=5, lw=1.2, label=arm, **style)
            ax.set(xlim=(-0.5, len(arms) - 0.5), ylim=SHARE, xticks=[])
        for ax in axes[::ACROSS]:
            ax.set_ylabel("steps that are needed")
    save(path, found)


def provenance(path: Path, found: pl.DataFrame, splits: Sequence[str]) -> None:
    """A panel per test set, a row per class (of `provenance.shares_of`), for each arm its share of the right
    answers behind invalid traces, 95 %. A test set without such answers has no panel.
    """
    shown = [split for split in splits if split in set(found["split"])]
    arms = styles_of(found["arm"])
    with panels(path, shown, height=1.6 + 0.12 * len(arms)) as axes:
        for ax, split in zip(axes, shown, strict=True):
            for k, (arm, style) in enumerate(arms.items()):
                mine = found.filter(arm=arm, split=split)
                known = [bars(mine, (name, f"{name}_low", f"{name}_high")) for name in PROVENANCES]
                x, dx = (np.concatenate(part, axis=-1) for part in zip(*known, strict=True))
                y = np.arange(len(PROVENANCES) if len(mine) else 0) + 0.7 * ((k + 0.5) / len(arms) - 0.5)
                ax.errorbar(x, y, xerr=dx, ls="", ms=3.5, lw=1, label=arm, **style)
            ax.set_yticks(range(len(PROVENANCES)), PROVENANCES)
            ax.set(xlim=SHARE, ylim=(len(PROVENANCES) - 0.5, -0.5), xlabel="share of them")
            ax.grid(axis="y", visible=False)
    save(path, found)


def trees(path: Path, found: pl.DataFrame, splits: Sequence[str]) -> None:
    """A panel per test set, for each arm (of `trees.levels`) the share of steps that are wrong in themselves,
    by how far they lie from the answer's, 95 %.
    """
    arms, farthest = styles_of(found["arm"]), found["depth"].to_numpy().max()
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for k, (arm, style) in enumerate(arms.items()):
                mine = found.filter(arm=arm, split=split)
                y, dy = bars(mine, ("wrong", "wrong_low", "wrong_high"))
                x = mine["depth"].to_numpy() + 0.3 * ((k + 0.5) / len(arms) - 0.5)
                ax.errorbar(x, y, dy, ls="-", ms=4, lw=1, label=arm, **style)
            ax.set(xlim=(-0.5, farthest + 0.5), ylim=SHARE, xlabel="steps from the answer")
        for ax in axes[::ACROSS]:
            ax.set_ylabel("wrong in themselves")
    save(path, found)
