"""Figures across arms: PNG, PDF and SVG, each with its data as CSV beside it, in `tracelab.plots`' style.

from tracelab.analysis import figures
figures.validity_against_accuracy(Path("figures/validity"), analysis.load("runs/study"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.estimates import rates
from tracelab.analysis.joint import reasons
from tracelab.analysis.length import binned
from tracelab.analysis.loading import splits_of
from tracelab.analysis.panels import ACROSS, ENDS, PALETTE, SHARE, bars, panels, save, styles_of
from tracelab.plots import BLUE, GREEN, GREY, RED

MOST_REASONS = 6  # that have a colour of their own


def validity_against_accuracy(path: Path, table: pl.LazyFrame, level: str = "strict") -> None:
    """A panel per test set, a point per arm with Wilson 95 % intervals; faint: each seed."""
    parts = []
    for by in (["arm", "split"], ["arm", "split", "seed"]):
        solution = rates(table, "solution_valid", by).drop("seeds")
        trace = rates(table, f"trace_{level}", by).drop("seeds", "n")
        parts.append(solution.join(trace, on=by, suffix="_trace"))
    whole, seeds = parts
    arms, splits = styles_of(whole["arm"]), splits_of(table)
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for arm, style in arms.items():
                mine = (pl.col("arm") == arm) & (pl.col("split") == split)
                own = seeds.filter(mine)
                ax.plot(own["value"], own["value_trace"], ls="", ms=3.5, alpha=0.35, clip_on=False, **style)
                x, dx = bars(whole.filter(mine))
                y, dy = bars(whole.filter(mine), [f"{end}_trace" for end in ENDS])
                ax.errorbar(x, y, dy, dx, ls="", ms=5, lw=1.2, clip_on=False, label=arm, **style)
            ax.set(xlim=SHARE, ylim=SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel(f"trace valid ({level})")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel("solution valid")
    save(path, pl.concat([whole.with_columns(seed=pl.lit(None, pl.Int64)), seeds], how="diagonal"))


def calibration(path: Path, curves: pl.DataFrame, splits: Sequence[str]) -> None:
    """Figure of `confidence.calibrations`: a panel per test set, accuracy against confidence, a line per arm
    (95 %). The dotted line is perfect calibration: what is said with confidence c is right with frequency c.
    """
    arms = styles_of(curves["arm"])
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            ax.plot([0, 1], [0, 1], ":", color=GREY, lw=1)
            for arm, style in arms.items():
                mine = curves.filter(arm=arm, split=split)
                y, dy = bars(mine, ("accuracy", "accuracy_low", "accuracy_high"))
                ax.errorbar(mine["confidence_mean"], y, dy, ms=4, lw=1, label=arm, **style)
            ax.set(xlim=SHARE, ylim=SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("solution valid")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel("confidence")
    save(path, curves)


def length_against_complexity(
    path: Path, table: pl.LazyFrame, complexity: str, length: str = "completion_tokens"
) -> None:
    """A panel per test set, a line per arm: the median length in bins of equal counts; shaded:
    quartiles. A completion that was cut off counts as longer than any other, so medians stay right.
    """
    names = ["arm", "split", complexity, length, "truncated"]
    frame = table.select(names).collect(engine="streaming")
    arms, splits, parts = styles_of(frame["arm"]), splits_of(table), []
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for arm, style in arms.items():
                part = binned(frame.filter(arm=arm, split=split), complexity, length)
                parts.append(part)
                ax.plot(part["complexity"], part["q50"], ms=3.5, lw=1.2, label=arm, **style)
                ax.fill_between(
                    part["complexity"], part["q25"], part["q75"], color=style["color"], alpha=0.12, lw=0
                )
        for ax in axes[::ACROSS]:
            ax.set_ylabel(length.replace("_", " "))
        for ax in axes[-ACROSS:]:
            ax.set_xlabel(complexity.replace("_", " "))
        if frame[complexity].dtype.is_integer():
            for ax in axes:
                ax.locator_params(axis="x", integer=True)
    save(path, pl.concat(parts))


def rank_correlations(path: Path, frame: pl.DataFrame, splits: Sequence[str]) -> None:
    """Spearman's correlations of `length_against`, a row per test set, a point per arm; grey: the reference
    solver's steps.
    """
    arms, measure = styles_of(frame["arm"]), frame["complexity"][0]
    with panels(path, [""], 5.2, 0.9 + len(splits) * (0.2 + 0.08 * len(arms))) as (ax,):
        step = 0.7 / len(arms)
        for k, (arm, style) in enumerate(arms.items()):
            rows = _in_order(frame.filter(arm=arm), "split", splits)
            y = np.array([splits.index(s) for s in rows["split"]]) + step * (k - (len(arms) - 1) / 2)
            x, dx = bars(rows, ("spearman", "spearman_low", "spearman_high"))
            ax.errorbar(x, y, xerr=dx, ls="", ms=4, lw=1.2, label=arm, **style)
        reference = _in_order(frame.filter(arm=next(iter(arms))), "split", splits)
        at = [splits.index(s) for s in reference["split"]]
        ax.plot(reference["reference_spearman"], at, "|", color=GREY, ms=16, mew=2, label="reference solver")
        ax.axvline(0, color=GREY, lw=0.8)
        ax.set_yticks(range(len(splits)), [split.replace("_", " ") for split in splits])
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        measure, length = (frame[name][0].replace("_", " ") for name in ("complexity", "length"))
        ax.set_xlabel(f"Spearman's correlation of {length} and {measure} (bootstrap 95 %)")
    save(path, frame)


def _in_order(frame: pl.DataFrame, column: str, order: Sequence[str]) -> pl.DataFrame:
    return frame.sort(pl.col(column).replace_strict(order, range(len(order)), default=len(order)))


def reasons_of_failure(path: Path, table: pl.LazyFrame, level: str = "strict") -> None:
    """A panel per test set, a bar per arm: the share of traces that fail for each reason, the rest passes."""
    frame = reasons(table, level)
    arms, splits = sorted(table.select(pl.col("arm").unique()).collect()["arm"]), splits_of(table)
    totals = frame.group_by("reason").agg(pl.col("count").sum()).sort("count", "reason", descending=True)
    common = totals["reason"].to_list()[:MOST_REASONS]
    colours = dict(zip(common, PALETTE, strict=False))
    if len(totals) > len(common):
        colours["other reasons"] = GREY
    named = frame.with_columns(
        pl.when(pl.col("reason").is_in(common)).then("reason").otherwise(pl.lit("other reasons"))
    )
    with panels(path, splits, 2.7, 0.7 + 0.22 * len(arms)) as axes:
        for n, (ax, split) in enumerate(zip(axes, splits, strict=True)):
            left = np.zeros(len(arms))
            for reason, colour in colours.items():
                part = named.filter(split=split, reason=reason).group_by("arm").agg(pl.col("value").sum())
                share = dict(part.rows())
                width = np.array([share.get(arm, 0.0) for arm in arms])
                ax.barh(arms, width, left=left, color=colour, height=0.7, label=reason.replace("_", " "))
                left += width
            ax.set_xlim(0, 1)
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
            if n % ACROSS:
                ax.set_yticklabels([])
        for ax in axes[-ACROSS:]:
            ax.set_xlabel(f"share not valid ({level})")
    save(path, frame)


def imposed(path: Path, frame: pl.DataFrame) -> None:
    """Interventions (of `by_intervention`), a panel per arm and test set: what the answers then are."""
    shown = {
        "valid": ("answer right", BLUE, "o"),
        "changed": ("answer changed", RED, "s"),
        "follows": ("answer is that of the trace's problem", GREEN, "^"),
    }
    groups = list(frame.group_by("arm", "split", maintain_order=True))
    most = max(len(part) for _, part in groups)
    names = [f"{arm}, {split}" for (arm, split), _ in groups]
    with panels(path, names, 3.0, 0.9 + 0.2 * most) as axes:
        for ax, (_, part) in zip(axes, groups, strict=True):
            for k, (name, (label, colour, marker)) in enumerate(shown.items()):
                x, dx = bars(part, (name, f"{name}_low", f"{name}_high"))
                y = np.arange(len(part)) + 0.2 * (k - 1)
                ax.errorbar(x, y, xerr=dx, ls="", marker=marker, ms=3.5, lw=1, color=colour, label=label)
            labels = [_dose(*row) for row in part.select("intervention", "dose").rows()]
            ax.set_yticks(range(len(part)), labels)
            ax.set(xlim=SHARE, xlabel=f"share (n = {part['n'].to_numpy().min()}, Wilson 95 %)")
            ax.invert_yaxis()
            ax.grid(axis="y", visible=False)
    save(path, frame)


def _dose(name: str, dose: float | None) -> str:
    return name if dose is None else f"{name} {100 * dose:g} %"


def dose_response(path: Path, frame: pl.DataFrame, splits: Sequence[str]) -> None:
    """Figure of dose and response, a panel per test set. Filled: solutions; hollow: traces.

    frame: as of `doses`, with a column metric.
    """
    series, metrics = styles_of(frame["series"]), sorted(set(frame["metric"]))
    with panels(path, splits) as axes:
        for ax, split in zip(axes, splits, strict=True):
            for name, style in series.items():
                for metric in metrics:
                    part = frame.filter(series=name, split=split, metric=metric).sort("dose")
                    y, dy = bars(part)
                    solution = metric == "solution_valid"
                    look = {"ls": "-"} if solution else {"ls": ":", "mfc": "white"}
                    label = f"{name}, {'solution' if solution else 'trace'}"
                    ax.errorbar(part["dose"], y, dy, ms=4, lw=1.2, label=label, **style, **look)
            ax.set_ylim(SHARE)
        for ax in axes[::ACROSS]:
            ax.set_ylabel("share valid")
        for ax in axes[-ACROSS:]:
            ax.set_xlabel("corruption rate")
    save(path, frame)
