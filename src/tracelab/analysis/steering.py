"""What steering did: accuracy, validity and length under each change of a model's activations.

steering.by_change(load_steering("runs/study"))
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.changed import outcomes
from tracelab.analysis.loading import Runs, load_beside

FILE, DIRECTIONS = "steering.parquet", "directions.parquet"
KEY = ("contrast", "place", "way", "direction", "scale")


def load_steering(*folders: Runs) -> pl.LazyFrame:
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

    The columns are those of `changed.outcomes`.
    """
    found = outcomes(table, [*by, *KEY])
    return found.sort(*by, "contrast", pl.col("way") != "none", "way", "place", "direction", "scale")
