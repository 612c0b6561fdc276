"""Figures of what a model remembers and has inside, in the style of `analysis.figures`, with their CSV.

probe_figures.memorised(Path("figures/memorisation"), memorisation.by_set(table))
probe_figures.effective(Path("figures/versions"), {"solution valid": versions.effective(table)})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.latents import BY_ANSWER, CONTROL
from tracelab.analysis.panels import SHARE, bars, ends, panels, save, style_of
from tracelab.plots import BLUE, GREEN, GREY, ORANGE, RED

BESIDE = {"majority": ":", "control": "--"}  # what a probe's score is read against
COUNTED = {  # of latents, by what their marks are told apart
    "counted": ["solution valid", "answer changed", "answer as behind all", "share of the latents"],
    "answers": ["right", "wrong"],
}


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
            ax.set(xlim=SHARE, xlabel=f"share (n = {ends(mine, 'n')}, 95 %)")
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
    save(path, frame)


def effective(path: Path, frames: Mapping[str, pl.DataFrame]) -> None:
    """Figure of `versions.effective`, by verdict: a panel per verdict, a row per arm."""
    shown = {"average": (BLUE, "o", "of all versions"), "effective": (RED, "s", "in every version")}
    arms = next(iter(frames.values()))["arm"].to_list()
    with panels(path, list(frames), 3.0, 0.9 + 0.3 * len(arms)) as axes:
        for ax, frame in zip(axes, frames.values(), strict=True):
            y = np.array([arms.index(arm) for arm in frame["arm"]], np.float64)
            for k, (name, (colour, marker, label)) in enumerate(shown.items()):
                x, dx = bars(frame, (name, f"{name}_low", f"{name}_high"))
                style = {"color": colour, "marker": marker, "label": label}
                ax.errorbar(x, y + 0.3 * (k - 0.5), xerr=dx, ls="", ms=3.5, lw=1, **style)
            chance = (frame["average"] - frame["gap_expected"]).to_numpy()
            ax.plot(chance, y + 0.15, "|", color=ORANGE, ms=9, mew=1.6, label="in every one, if independent")
            ax.set_yticks(range(len(arms)), arms)
            ax.set(xlim=SHARE, xlabel="share (95 %)")
            ax.set_ylim(len(arms) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
    save(path, pl.concat([frame.with_columns(verdict=pl.lit(name)) for name, frame in frames.items()]))


def decoded(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `states.scores` of one arm and test set: a panel per quantity, what is decoded at each place.

    Where a step ends, of each trace and search, each in its colour: the score (marks), the commonest label
    (dotted) and the control task (dashed; of kinds of moments that were trained on).
    """
    shown = frame.filter(at="end")
    names = shown["quantity"].unique(maintain_order=True).to_list()
    places = shown["place"].unique(maintain_order=True).to_list()
    labels = [place.removeprefix("blocks.") for place in places]
    series = list(shown.select("trace", "search").unique(maintain_order=True).iter_rows())
    with panels(path, names, 3.0, 2.3) as axes:
        for ax, name in zip(axes, names, strict=True):
            mine = shown.filter(quantity=name)
            for key, part in mine.group_by("trace", "search", maintain_order=True):
                x = [places.index(place) for place in part["place"]]
                y, dy = bars(part, ("score", "score_low", "score_high"))
                style = style_of(series.index(key))
                ax.errorbar(
                    x, y, yerr=dy, ms=3.5, lw=1, label=f"{key[0]} trace, search of the {key[1]}", **style
                )
                for column, ls in BESIDE.items():
                    ax.plot(x, part[column], ls=ls, lw=0.8, color=style["color"])
            for column, ls in BESIDE.items():
                ax.plot([], [], ls=ls, lw=0.8, color=GREY, label=column)
            ax.set_xticks(range(len(places)), labels)
            ax.set_xlabel("place (a number: the stream after that layer)")
            ax.set_ylabel("R²" if mine["number"].all() else "accuracy")
            lowest = mine.select(pl.min_horizontal(pl.col("score", *BESIDE).min())).item()
            ax.set_ylim(min(-0.54, lowest - 0.04) if mine["number"].all() else SHARE[0], SHARE[1])
    save(path, frame)


def reasked(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `reasking.by_trace`: a panel per arm and test set, a row per kind of trace."""
    shown = {
        "second": ("fits the second question", {"color": BLUE, "marker": "o"}),
        "first": ("fits the first", {"color": RED, "marker": "s"}),
        "second_held": ("the second, where the trace settles it", {"color": GREEN, "marker": "^"}),
    }
    groups = list(frame.group_by("arm", "split", maintain_order=True))
    most = max(len(part) for _, part in groups)
    with panels(path, [f"{arm}, {split}" for (arm, split), _ in groups], 3.0, 0.9 + 0.25 * most) as axes:
        for ax, (_, part) in zip(axes, groups, strict=True):
            for k, (name, (label, style)) in enumerate(shown.items()):
                x, dx = bars(part, (name, f"{name}_low", f"{name}_high"))
                y = np.arange(len(part)) + 0.22 * (k - 1)
                ax.errorbar(x, y, xerr=dx, ls="", ms=3.5, lw=1, label=label, **style)
            ax.set_yticks(range(len(part)), part["behind"])
            ax.set(xlim=SHARE, xlabel=f"share (n = {ends(part, 'n')}, 95 %)")
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
    save(path, frame)


def thought(path: Path, frame: pl.DataFrame) -> None:
    """Figure of `latents.shares` of one arm and test set: a panel per question.

    Of what is read and found: for right and wrong answers, filled, and hollow in the control.
    """
    names = frame["question"].unique(maintain_order=True).to_list()
    with panels(path, names, 3.6, 2.9) as axes:
        for ax, name in zip(axes, names, strict=True):
            mine, apart = frame.filter(question=name), name in BY_ANSWER
            rows, series = ("counted", "answers") if apart else ("what", "counted")
            mine = mine.filter(pl.col("answers") != "all") if apart else mine
            labels = mine[rows].unique(maintain_order=True).to_list()
            keys = COUNTED[series]
            mine = mine.with_columns(hollow=(pl.col("what") == CONTROL))
            for (key, hollow), part in mine.group_by(series, "hollow", maintain_order=True):
                k = keys.index(key)
                y = np.array([labels.index(label) for label in part[rows]]) + 0.14 * (k - 1) + 0.07 * hollow
                x, dx = bars(part, ("share", "share_low", "share_high"))
                style = {**style_of(k), **({"mfc": "white"} if hollow else {"label": str(key)})}
                ax.errorbar(x, y, xerr=dx, ls="", ms=3.5, lw=1, **style)
            ax.set_yticks(range(len(labels)), labels)
            ax.set(xlim=SHARE, xlabel="share (95 %)")
            ax.set_ylim(len(labels) - 0.5, -0.5)
            ax.grid(axis="y", visible=False)
            if ax is not axes[0]:  # whose legend stands below all
                ax.legend(fontsize=7)
    save(path, frame)
