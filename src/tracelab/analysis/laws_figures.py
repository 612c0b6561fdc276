"""Figures of laws: what runs took with the lines that were fitted, and how good they got.

laws_figures.laws(Path("figures/laws"), known, laws.fits(known), "depth", "steps")
laws_figures.shares(Path("figures/size"), efforts.shares("runs/law/size", against="parameters"), "parameters")
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.efforts import BEGUN
from tracelab.analysis.kinetics import over_seeds
from tracelab.analysis.laws import KINDS, predicted
from tracelab.analysis.panels import ACROSS, bars, panels, save, style_of

PLACES = 60  # of a drawn line
LINES = {"power": "-", "exponential": "--"}
HEADS = {
    "solution_valid": "solution valid",
    "trace_strict": "trace valid (strict)",
    "faithful": "faithful, of right ones",
    "silent_failure": "silent failures",
    "ece": "calibration error",
}


def laws(path: Path, known: pl.DataFrame, fits: pl.DataFrame, x_name: str, effort: str) -> None:
    """Figure of `efforts.until` and `laws.fits`: a series per law, on logarithmic axes.

    A mark per run, hollow and at what was watched where it did not get there. Of each law the likelier line
    is drawn, or both where that is open: power laws are solid, exponentials dashed.
    """
    with panels(path, [f"until {effort} were enough"], width=4.2, height=3.2) as (ax,):
        for k, row in enumerate(fits.iter_rows(named=True)):
            style, mine = style_of(k), known.filter(law=row["law"])
            for reached in (True, False):
                part = mine.filter(reached=reached)
                effort_of = part["high" if reached else "low"]
                face = style["color"] if reached else "none"
                look = {"ls": "", "ms": 4, "alpha": 0.7, "mfc": face, "clip_on": False}
                ax.plot(part["x"], effort_of, label=row["law"] if reached else None, **look, **style)
            for kind in KINDS if row["better"] == "open" else {row["better"]} - {None}:
                ends = mine["x"].to_numpy()
                x = np.geomspace(float(ends.min()), float(ends.max()), PLACES)
                ax.plot(x, predicted(row, kind, x), LINES[kind], lw=1, color=style["color"])
        ax.set(xscale="log", yscale="log", xlabel=x_name, ylabel=effort)
    save(path, known)


def shares(path: Path, frame: pl.DataFrame, x_name: str) -> pl.DataFrame:
    """Figure of `efforts.shares`, a panel per figure: the mean of seeds against x, with its interval for
    other seeds; and that table.

    The law "all", of runs that others begin with, belongs to every series, as its point at 0.
    """
    means = over_seeds(frame, "value", ["law", "figure", "x"]).sort("law", "figure", "x")
    names = [name for name in HEADS if name in set(frame["figure"])]
    series = sorted(set(frame["law"]) - {BEGUN}) or [BEGUN]
    with panels(path, [HEADS[name] for name in names]) as axes:
        for ax, name in zip(axes, names, strict=True):
            for k, law in enumerate(series):
                mine = means.filter(pl.col("law").is_in([law, BEGUN]), figure=name).sort("x")
                value, around = bars(mine.with_columns(pl.col("low", "high").fill_null(pl.col("value"))))
                look = {"lw": 1.2, "ms": 4, "capsize": 2, "clip_on": False}
                ax.errorbar(mine["x"], value, around, label=law, **look, **style_of(k))
            least = frame.filter(pl.col("x") > 0)["x"].min()
            scale = {"value": "symlog", "linthresh": least} if frame["x"].min() == 0 else {"value": "log"}
            ax.set_xscale(**scale)
            ax.set_ylim(-0.04, 1.04)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel(x_name)
    save(path, means)
    return means
