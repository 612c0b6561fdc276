"""Countdown's far problems by their numbers: all of the training range, or one at least that is new.

    ranges.lines(analysis.load("bench/results/study/countdown"))

A far test set has problems of both kinds, so that what a model does there is a mean of two things.
"""

from __future__ import annotations

import polars as pl
from asked import mean_of
from common import markdown

from tracelab.analysis.cells import FAR, TaskOutcomes
from tracelab.analysis.loading import splits_of
from tracelab.analysis.measures import RIGHT, VALID, ranks
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.tasks.countdown.draws import HEADER

TRACED = "correct"  # the arm whose lengths are asked for
KINDS = {"all of the training range": True, "one at least is new": False}


def known(table: pl.LazyFrame) -> pl.Expr:
    """Is each number of a problem one that training problems have?"""
    task = build_task(Run.open(table.select("run").first().collect().item()).settings.task)
    low, high = task.number_range
    numbers = pl.col("problem").list.slice(HEADER)
    return (numbers.list.min() >= low) & (numbers.list.max() <= high)


def lines(table: pl.LazyFrame) -> list[str]:
    """A table for the study's page: right and valid, by test set and kind; and a line on lengths."""
    near, *far = splits_of(table)
    told = table.with_columns(known=known(table))
    rows = []
    for arm in table.select(pl.col("arm").unique().sort()).collect()["arm"]:
        for split in far:
            for words, flag in KINDS.items():
                part = told.filter(arm=arm, split=split, known=flag)
                problems = part.select(pl.col("index").n_unique()).collect().item()
                writes = part.select(pl.col("trace_steps").max()).collect().item()
                valid = mean_of(part, VALID) if writes else "–"
                rows.append([arm, split, words, str(problems), mean_of(part, RIGHT), valid])
    heads = ["arm", "test set", "its numbers", "problems", "right", "strictly valid"]
    (drop,) = (found for found in ranks(TaskOutcomes(told.filter("known"))) if found.split == FAR)
    low, high = drop.found.interval()
    return [
        "Right solutions and strictly valid traces far away, in per cent, by the numbers of a problem:",
        "",
        *markdown(heads, rows),
        f"Of problems whose numbers are all of the training range, the rank correlation of length and "
        f"complexity of `{TRACED}` is {drop.found.value:.2f} [{low:.2f}, {high:.2f}] less far away than in "
        f"distribution ({near}).",
        "",
    ]
