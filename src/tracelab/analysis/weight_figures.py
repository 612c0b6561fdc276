"""Figures of what was added to weights and activations, in the style of `analysis.figures`.

weight_figures.scaled(Path("figures/vectors"), task_vectors.scales(runs, table), ["wilson"])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import polars as pl

from tracelab.analysis.diff import name_of
from tracelab.analysis.panels import ACROSS, SHARE, bars, panels, save, style_of

TITLE = 40  # characters of a line above a panel
SHOWN = {"solution": {"ls": "-"}, "trace": {"ls": ":", "mfc": "white"}}


def scaled(path: Path, frame: pl.DataFrame, splits: Sequence[str]) -> None:
    """Figure of `task_vectors.scales`: a panel per test set, a line per recipe. Hollow: traces."""
    groups = frame.select("recipe", "control").unique(maintain_order=True).rows()
    with panels(path, splits, 3.4) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for k, (recipe, control) in enumerate(groups):
                same = pl.col("control").eq_missing(pl.lit(control, pl.String))
                part = frame.filter(same, recipe=recipe, split=split).sort("lambda")
                name = recipe if control is None else f"{control} control of {recipe}"
                for what, look in SHOWN.items():
                    y, dy = bars(part, (what, f"{what}_low", f"{what}_high"))
                    label = f"{name}, {what}"
                    ax.errorbar(part["lambda"], y, dy, ms=4, lw=1.2, label=label, **style_of(k), **look)
            ax.set_ylim(SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share valid")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel("lambda")
    save(path, frame)


def steered(path: Path, frame: pl.DataFrame, level: str = "strict") -> None:
    """Figure of `steering.by_change`: a panel per arm, test set, contrast and place, outcomes by scale.

    Points at 0 are the model as it is; hollow: traces.
    """
    by = ["arm", "split", "contrast"]
    as_it_is = frame.filter(way="none").with_columns(pl.lit(0.0).alias("scale")).drop("place", "direction")
    groups = list(frame.filter(way="add").group_by(*by, "place", maintain_order=True))
    shown = {"solution": {"ls": "-"}, f"trace_{level}": {"ls": ":", "mfc": "white"}}
    names = [fill(", ".join(map(str, name)), TITLE) for name, _ in groups]
    with panels(path, names, 3.4) as axes:
        for ax, (name, part) in zip(axes, groups, strict=True):
            own = as_it_is.filter(pl.col(column) == value for column, value in zip(by, name, strict=False))
            directions = part["direction"].unique(maintain_order=True).to_list()
            for k, direction in enumerate(directions):
                line = pl.concat([own, part.filter(direction=direction)], how="diagonal").sort("scale")
                for what, look in shown.items():
                    y, dy = bars(line, (what, f"{what}_low", f"{what}_high"))
                    label = f"{direction}, {what.partition('_')[0]}"
                    ax.errorbar(line["scale"], y, dy, ms=4, lw=1.2, label=label, **style_of(k), **look)
            ax.set(ylim=SHARE, xlabel="scale")
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share valid")
    save(path, frame)


def recovered(path: Path, frame: pl.DataFrame, level: str = "strict") -> None:
    """Figure of `diff.by_variant`: a panel per group, accuracy and validity of each model. Hollow: traces."""
    by = [name for name in ("arm", "split") if name in frame.columns]
    groups = list(frame.group_by(by, maintain_order=True))
    with panels(path, [fill(", ".join(map(str, name)), TITLE) for name, _ in groups], 3.4) as axes:
        for ax, (_, part) in zip(axes, groups, strict=True):
            names = [name_of(*row) for row in part.select("variant", "removed").iter_rows()]
            for k, (what, look) in enumerate({"solution": {}, f"trace_{level}": {"mfc": "white"}}.items()):
                y, dy = bars(part, (what, f"{what}_low", f"{what}_high"))
                place = [i + 0.2 * k for i in range(len(names))]
                label = what.partition("_")[0]
                ax.errorbar(place, y, dy, ms=4, lw=0, elinewidth=1.2, label=label, **style_of(k), **look)
            ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
            ax.set_ylim(SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share valid")
    save(path, frame)
