"""What imposed traces did: how often the answer stays right, changes, or is the one the trace leads to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.loading import runs
from tracelab.core.stats import wilson

FIGURES = ("valid", "changed", "follows")
ORDER = ("own", "none", "prefix", "correct", "swapped", "corrupted", "filler")


def load_interventions(*folders: str | Path) -> pl.LazyFrame:
    """The interventions of all finished runs at or below the folders that have some, labelled as by `load`.

    ValueError if none has.
    """
    parts = []
    for row in runs(*folders).iter_rows(named=True):
        path = Path(row["run"]) / "interventions.parquet"
        if path.is_file():
            labels = {name: row[name] for name in ("run", "arm", "seed")}
            parts.append(pl.scan_parquet(path).with_columns(pl.lit(v).alias(k) for k, v in labels.items()))
    if not parts:
        raise ValueError(
            "no run there has interventions.parquet: run python -m tracelab.intervene run=... first"
        )
    return pl.concat(parts, how="diagonal_relaxed")


def shares(path: Path) -> pl.DataFrame:
    """One run's interventions, see `by_intervention`."""
    return by_intervention(pl.scan_parquet(path), by=("split",))


def by_intervention(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group, intervention and dose, in ORDER.

    valid, changed, follows: shares, each with _low and _high (Wilson 95 %); reference_logprob: mean, in nats
    per token of the reference solution; trace_tokens: mean; n.
    """
    key = [*by, "intervention", "dose"]
    frame = (
        table.group_by(key)
        .agg(
            *(pl.col(name).sum().alias(f"{name}_true") for name in FIGURES),
            (pl.col("reference_logprob").sum() / pl.col("reference_tokens").sum()),
            pl.col("trace_tokens").mean(),
            pl.len().alias("n"),
        )
        .with_columns(pl.col("intervention").replace_strict(ORDER, range(len(ORDER))).alias("place"))
        .sort([*by, "place", "dose"])
        .drop("place")
        .collect(engine="streaming")
    )
    n = frame["n"].to_numpy()
    columns = []
    for name in FIGURES:
        true = frame[f"{name}_true"].to_numpy()
        low, high = wilson(true, n)
        columns += [
            pl.Series(name, true / np.maximum(n, 1)),
            pl.Series(f"{name}_low", low),
            pl.Series(f"{name}_high", high),
        ]
    return frame.with_columns(columns).drop(f"{name}_true" for name in FIGURES)
