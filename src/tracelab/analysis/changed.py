"""What changed models write: shares of valid solutions and traces, lengths and faults, by group.

changed.outcomes(table, ["arm", "split", "place", "scale"])
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tracelab.analysis.estimates import shares, with_seeds
from tracelab.analysis.loading import levels_of


def outcomes(table: pl.LazyFrame, key: Sequence[str]) -> pl.DataFrame:
    """A row per group.

    solution, and trace_<level> for each level: shares that are valid, and truncated, each with _low and _high
    (95 %, for other problems); trace_steps, completion_tokens: means; reason: the commonest of invalid
    solutions; n; seeds.
    """
    flags = {"solution": pl.col("solution_valid"), "truncated": pl.col("truncated")}
    flags |= {f"trace_{level}": pl.col(f"trace_{level}") for level in levels_of(table)}
    wrong = pl.col("solution_reason").cast(pl.String).filter(~pl.col("solution_valid"))
    means = table.group_by(list(key)).agg(
        pl.col("trace_steps").mean(),
        pl.col("completion_tokens").mean(),
        wrong.mode().sort().first().alias("reason"),
        pl.len().alias("n"),
    )
    found = shares(table, key, flags).drop(f"{name}_n" for name in flags)
    found = found.join(means.collect(engine="streaming"), on=list(key), nulls_equal=True)
    return with_seeds(found, table, key)
