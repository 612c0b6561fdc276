"""What a measurement could have come to: where a ceiling, or a definition, leaves a claim no room.

    rooms(outcomes)["a"]      # the largest difference that `correct` could have had over `solution_only`

A verdict "refuted" where nothing else was possible says less than one where there was room.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from tracelab.analysis.cells import FAR, TaskOutcomes
from tracelab.analysis.measures import LEGAL, RIGHT, VALID, lowest_quarter, share
from tracelab.analysis.verdicts import MARGIN, above

BOUND = 0.9  # of h, which claims less than that
ALL = pl.lit(True)
LEAST = "h"  # the part whose room ends below, not above


def rooms(outcomes: TaskOutcomes) -> dict[str, float]:
    """Part -> the largest value of its primary measurement that there could be; of h the smallest.

    Of a difference: with every answer of the first arm right. Of f: with as many right answers behind invalid
    traces, all of them in the longest quarter. Of h: with every trace wrong that is locally and not strictly
    valid, for behind a strictly valid one the solution is right by definition. Parts without such an end, or
    without their arms, are left out.
    """
    near = outcomes.splits[0]
    bases = {
        "a": (outcomes.arm("solution_only"), near),
        "c2": (outcomes.arm("correct"), FAR),
        "i2": (outcomes.arm("corrupted", rate=1.0), near),
    }
    found = {part: 1 - _rate(outcomes, arm, split) for part, (arm, split) in bases.items() if arm}
    if arm := outcomes.arm("correct"):
        found["f"] = _longest(outcomes, arm, near)
        found["h"] = _rate(outcomes, arm, near, VALID, LEGAL)
    return found


def has_none(part: str, room: float) -> bool:
    """Could the part not have been replicated?"""
    return room >= BOUND if part == LEAST else room < MARGIN


def told(part: str, known: Mapping[str, float]) -> str:
    """A cell: what the value could have come to."""
    if part not in known:
        return "–"
    return f"{'≥' if part == LEAST else '≤'} {100 * known[part]:.1f}"


def _rate(outcomes: TaskOutcomes, arm: str, split: str, of: pl.Expr = RIGHT, among: pl.Expr = ALL) -> float:
    (found,) = (each.found for each in share(outcomes, arm, of, among, above(0.0)) if each.split == split)
    return found.value


def _longest(outcomes: TaskOutcomes, arm: str, split: str) -> float:
    """The share of the longest quarter's right answers that all those behind invalid traces would be."""
    right, wrong, steps = (
        outcomes.cells(arm, value).on(split) for value in (RIGHT, RIGHT & ~VALID, pl.col("reference_steps"))
    )
    quarter = lowest_quarter(-steps[0], np.ones(steps.shape[1]))
    return float(min(1.0, wrong.sum() / (right * quarter).sum()))
