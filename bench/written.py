"""What models write, beside whether it is right: how many different traces, how many parse, how many end.

written.lines(TaskOutcomes(analysis.load("bench/results/study/maze")))
"""

from __future__ import annotations

import polars as pl
from common import markdown
from told import points

from tracelab.analysis.cells import TaskOutcomes

LEVELS = {"parses": "parses", "locally valid": "local", "valid, paper": "paper", "strictly valid": "strict"}


def lines(outcomes: TaskOutcomes) -> list[str]:
    """A table for the study's page, a row per arm that writes traces and test set, of all seeds together."""
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
        "What is written, in per cent of all completions but for the first column:",
        "",
        *markdown(heads, rows),
    ]
