"""What models write, beside whether it is right: how many different traces, how many parse, how many end.

    written.lines(TaskOutcomes(analysis.load("bench/results/study/maze")))

A model may be right, or never valid, with a text that is the same for all problems.
"""

from __future__ import annotations

import polars as pl
from common import markdown
from told import points

from tracelab.analysis.cells import TaskOutcomes

LEVELS = {"parses": "parses", "locally valid": "local", "valid, paper": "paper", "strictly valid": "strict"}


def lines(outcomes: TaskOutcomes) -> list[str]:
    """A table for the study's page: a row per arm and test set, means over the seeds."""
    names = outcomes.table.collect_schema().names()
    levels = {head: f"trace_{level}" for head, level in LEVELS.items() if f"trace_{level}" in names}
    by_seed = (
        outcomes.table.filter(pl.col("algorithm").is_null())
        .group_by("arm", "split", "seed")
        .agg(
            pl.len().alias("n"),
            pl.col("trace_hash").n_unique().alias("different"),
            pl.col("trace_steps").max().alias("steps"),
            pl.col("truncated").mean(),
            pl.col("solution_valid").mean().alias("right"),
            pl.col("solution_optimal").mean().alias("optimal"),
            *(pl.col(level).mean() for level in levels.values()),
        )
        .sort("arm", "seed")
        .collect()
    )
    rows = []
    for arm in by_seed["arm"].unique().sort():
        mine = by_seed.filter(arm=arm)
        writes = mine["steps"].max() > 0
        for split in outcomes.splits:
            part = mine.filter(split=split)
            least, most = part["different"].min(), part["different"].max()
            different = f"{least}" if least == most else f"{least}–{most}"
            told = [points(part[level].mean()) if writes else "–" for level in levels.values()]
            rest = [points(part[name].mean()) for name in ("truncated", "right", "optimal")]
            rows.append([arm, split, f"{different} of {part['n'][0]}" if writes else "–", *told, *rest])
    heads = ["arm", "test set", "different traces, by seed", *levels, "cut off", "right", "optimal"]
    return [
        "What is written: how many different traces by each seed, then means over the seeds, in per cent of "
        "the completions (intervals of what is right and strictly valid stand above):",
        "",
        *markdown(heads, rows),
    ]
