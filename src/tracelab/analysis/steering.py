"""What steering did: accuracy, validity and length under each change of a model's activations.

steering.by_change(load_steering("runs/study"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.estimates import shares, with_seeds
from tracelab.analysis.loading import levels_of, load_beside

FILE, DIRECTIONS = "steering.parquet", "directions.parquet"
KEY = ("contrast", "place", "way", "direction", "scale")


def load_steering(*folders: str | Path) -> pl.LazyFrame:
    """The outcomes under steering of all finished runs at or below the folders that have some.

    ValueError if none has.
    """
    return load_beside(FILE, "steer", *folders)


def of_run(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One run's directions, and its changes as of `by_change`."""
    table = pl.scan_parquet(folder / FILE, glob=False)
    return pl.read_parquet(folder / DIRECTIONS, glob=False), by_change(table, by=("split",))


def by_change(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group and change; `none` is the model as it is.

    solution, and trace_<level> for each level: shares that are valid, and truncated, each with _low and _high
    (95 %, for other problems); trace_steps, completion_tokens: means; reason: the commonest of invalid
    solutions; n; seeds.
    """
    key = [*by, *KEY]
    flags = {"solution": pl.col("solution_valid"), "truncated": pl.col("truncated")}
    flags |= {f"trace_{level}": pl.col(f"trace_{level}") for level in levels_of(table)}
    wrong = pl.col("solution_reason").cast(pl.String).filter(~pl.col("solution_valid"))
    means = table.group_by(key).agg(
        pl.col("trace_steps").mean(),
        pl.col("completion_tokens").mean(),
        wrong.mode().sort().first().alias("reason"),
        pl.len().alias("n"),
    )
    found = (
        shares(table, key, flags)
        .drop(f"{name}_n" for name in flags)
        .join(means.collect(engine="streaming"), on=key, nulls_equal=True)
        .sort(*by, "contrast", pl.col("way") != "none", "way", "place", "direction", "scale")
    )
    return with_seeds(found, table, key)
