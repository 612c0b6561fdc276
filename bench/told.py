"""Shares and differences as the study's tables write them, and a task's tables of its arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from common import markdown

from tracelab.analysis.cells import FAR, TaskOutcomes
from tracelab.analysis.measures import RIGHT, VALID, share
from tracelab.analysis.verdicts import above


def points(value: float | None) -> str:
    """A share in per cent, a difference in points."""
    return "–" if value is None else f"{100 * value:.1f}"


def estimate(row: dict[str, Any], ranks: bool = False, bounded: bool = False) -> str:
    """`12.3 [4.5, 20.1]`, in per cent or points; `0.42 [0.31, 0.53]` of rank correlations.

    bounded: of a share; its interval, which is symmetric, ends at 0 and 100 %.
    """
    value, low, high = row["value"], row["low"], row["high"]
    if value is None or low is None or high is None:
        return "–"
    if ranks:
        return f"{value:.2f} [{low:.2f}, {high:.2f}]"
    low, high = (max(low, 0.0), min(high, 1.0)) if bounded else (low, high)
    return f"{points(value)} [{points(low)}, {points(high)}]"


def rates(outcomes: TaskOutcomes, arm: str, value: pl.Expr, splits: Sequence[str] = ()) -> list[str]:
    """How often completions of an arm have this; splits: test sets, else in distribution and far away."""
    known = {each.split: each.found for each in share(outcomes, arm, value, pl.lit(True), above(0.0))}
    cells = []
    for split in splits or (outcomes.splits[0], FAR):
        low, high = known[split].interval()
        cells.append(estimate({"value": known[split].value, "low": low, "high": high}, bounded=True))
    return cells


def arm_table(outcomes: TaskOutcomes) -> list[str]:
    """Accuracy and validity of each arm, none post-trained, with intervals for other seeds and problems."""
    rows = []
    for arm in outcomes.arms.filter(pl.col("algorithm").is_null())["arm"].unique().sort():
        writes = outcomes.table.filter(arm=arm).select(pl.col("trace_steps").max()).collect().item()
        valid = rates(outcomes, arm, VALID) if writes else ["–", "–"]
        each = outcomes.cells(arm, RIGHT).on(outcomes.splits[0]).mean(1)
        by_seed = ", ".join(points(value) for value in each)
        rows.append([arm, str(len(each)), *rates(outcomes, arm, RIGHT), *valid, by_seed])
    heads = ["arm", "seeds", "right", "right, far", "strictly valid", "strictly valid, far", "right, by seed"]
    return markdown(heads, rows)


def set_table(outcomes: TaskOutcomes) -> list[str]:
    """Accuracy of each arm, none post-trained, on each test set, the one in distribution first."""
    arms = outcomes.arms.filter(pl.col("algorithm").is_null())["arm"].unique().sort().to_list()
    columns = [rates(outcomes, arm, RIGHT, outcomes.splits) for arm in arms]
    return markdown(["test set", *arms], [list(row) for row in zip(outcomes.splits, *columns, strict=True)])
