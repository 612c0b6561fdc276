"""Figures of how a run's training went, of its metrics.csv: losses, accuracy and validity, each with its CSV.

    curves.learning(folder / "figures" / "learning", folder / "metrics.csv", "maze, corrupted, seed 0")

A validation's row has shares of `val/problems` held-out problems (`validation.HeldOut`) beside its losses.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tracelab.core.files import whole_lines
from tracelab.core.stats import wilson
from tracelab.core.terminal import counted
from tracelab.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, figure, write_csv

Row = dict[str, str]
STYLES = {  # what is not among them is another level of a task
    "solution_valid": {"color": BLUE, "marker": "o"},
    "solution_optimal": {"color": SKY, "marker": "v"},
    "trace_parses": {"color": GREY, "marker": "D"},
    "trace_local": {"color": GREEN, "marker": "^"},
    "trace_strict": {"color": RED, "marker": "s"},
    "trace_paper": {"color": PURPLE, "marker": "P"},
}
OTHER = {"color": ORANGE, "marker": "X"}
SHADED = ("solution_valid", "trace_strict")  # of six intervals one sees none


def read(metrics_csv: Path) -> list[Row]:
    """The rows of a metrics.csv."""
    return list(csv.DictReader(whole_lines(metrics_csv)))


def measured(rows: Sequence[Row]) -> list[Row]:
    """Those rows in which held-out problems were completed."""
    return [row for row in rows if row.get("val/problems")]


def seconds(folder: Path) -> float:
    """That a run has spent on held-out problems, resumed or not."""
    path = folder / "metrics.csv"
    return sum(float(row["val/seconds"]) for row in measured(read(path))) if path.is_file() else 0.0


def loss(path: Path, metrics_csv: Path) -> None:
    """Training and validation loss of trace and solution against tokens."""
    rows = read(metrics_csv)
    tokens = {int(r["step"]): float(r["train/tokens"]) for r in rows if r.get("train/tokens")}
    steps = np.array(sorted(tokens))
    shown = {"trace": BLUE, "solution": ORANGE}
    data = []
    with figure(path, 5.0, 3.0) as (_, ax):
        for part, colour in shown.items():
            for stage, style in (
                ("train", {"lw": 1.0, "alpha": 0.9}),
                ("val", {"ls": "", "marker": "o", "ms": 3.5}),
            ):
                points = [(int(r["step"]), float(r[k])) for r in rows if r.get(k := f"{stage}/{part}_loss")]
                if not points or not len(steps):
                    continue
                at, losses = np.array(points).T
                millions = np.interp(at, steps, [tokens[s] for s in steps]) / 1e6
                ax.plot(millions, losses, color=colour, label=f"{part}, {stage}", **style)
                data += [
                    (stage, part, int(s), m * 1e6, v) for s, m, v in zip(at, millions, losses, strict=True)
                ]
        ax.set(xlabel="training tokens (millions)", ylabel="loss per token (nats)", yscale="log")
        if data:  # a run of a few steps has logged none
            ax.legend(ncols=2)
    write_csv(path, ("stage", "part", "step", "tokens", "loss"), data)


def learning(path: Path, metrics_csv: Path, title: str) -> None:
    """Accuracy and validity of held-out problems against the tokens that were trained on."""
    rows = measured(read(metrics_csv))
    tokens = np.array([float(row["train/tokens"]) for row in rows])
    _verdicts(path, rows, ("tokens", tokens.astype(np.int64)), ("training tokens (millions)", 1e6), title)


def post_training(path: Path, metrics_csv: Path, title: str) -> None:
    """Accuracy and validity of held-out problems against rounds."""
    rows = measured(read(metrics_csv))
    rounds = np.array([int(row["step"]) for row in rows])
    _verdicts(path, rows, ("round", rounds), ("rounds of post-training", 1), title)


def share_of(n: np.ndarray[tuple[int], np.dtype[np.int64]], taught: bool = False) -> str:
    """The label of shares. n: of how many held-out problems each is; validate_problems may change.

    taught: are these of the level that a teacher has led to?
    """
    few = f"{n.min():,} to " if n.min() < n.max() else ""
    return f"share of {few}{counted(int(n.max()), 'held-out problem')}{' of its level' if taught else ''}"


def _verdicts(
    path: Path,
    rows: Sequence[Row],
    at: tuple[str, np.ndarray[tuple[int], np.dtype[np.int64]]],
    axis: tuple[str, float],
    title: str,
) -> None:
    """Shares of the verdicts, those of SHADED with Wilson 95 % intervals. at: name and place of each row.

    Dotted lines stand where other problems begin to be completed: those of a teacher's next level.
    """
    (name, x), (label, unit) = at, axis
    n = np.array([int(float(row["val/problems"])) for row in rows])
    kinds = ("val/solution_", "val/trace_")
    metrics = [c.removeprefix("val/") for c in rows[0] if c.startswith(kinds) and rows[0][c]]
    metrics = [metric for metric in metrics if not metric.endswith(("_loss", "_steps"))]
    data = []
    with figure(path, 5.0, 3.4) as (_, ax):
        for metric in metrics:
            shares = np.array([float(row[f"val/{metric}"]) for row in rows])
            low, high = wilson(shares * n, n)
            style = STYLES.get(metric, OTHER)
            width = 1.6 if metric in SHADED else 0.9
            ax.plot(x / unit, shares, ms=3, lw=width, clip_on=False, label=metric.replace("_", " "), **style)
            if metric in SHADED:
                ax.fill_between(x / unit, low, high, color=style["color"], alpha=0.15, lw=0)
            data += [(*point[:1], metric, *point[1:]) for point in zip(x, shares, low, high, n, strict=True)]
        levels = [row.get("val/level") or "" for row in rows]
        for place, before, after in zip(x[1:], levels, levels[1:], strict=False):
            if before != after:
                ax.axvline(place / unit, color=GREY, lw=0.8, ls=":")
        ax.set(xlabel=label, ylabel=share_of(n, taught=any(levels)), ylim=(-0.02, 1.02))
        ax.set_title(title, loc="left", fontsize=8)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=8)
    write_csv(path, (name, "metric", "value", "low", "high", "n"), data)
