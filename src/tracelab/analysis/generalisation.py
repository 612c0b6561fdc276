"""How far what was learned carries: from the test set in distribution to others, and along a dose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.estimates import holm, matrices, rates, values_of
from tracelab.analysis.loading import load, runs
from tracelab.analysis.variance import gap


def gaps(table: pl.LazyFrame, column: str, base: str, splits: Sequence[str] | None = None) -> pl.DataFrame:
    """Each arm's share on each test set less that on `base`, the one in distribution: a row per arm and set.

    value, base_value, difference with low, high (95 %, for other problems and seeds), p and p_holm (for all
    rows together), n, seeds. ValueError if an arm's seeds differ between sets.
    """
    names = table.select(pl.col("split").unique().sort()).collect()["split"].to_list()
    chosen = [name for name in splits or names if name != base]
    known = {name: matrices(table, column, name) for name in (base, *chosen)}
    rows = []
    for arm in known[base]:
        for name in chosen:
            if arm not in known[name]:
                continue
            there, here = known[name][arm], known[base][arm]
            if there.columns[2:] != here.columns[2:]:
                raise ValueError(f"the arm {arm!r} has other seeds on {name} than on {base}")
            pair = values_of(there), values_of(here)
            found = gap(pair).at_least(*(part.shape[1] for part in pair))
            low, high = found.interval()
            figures = {"value": pair[0].mean(), "base_value": pair[1].mean(), "difference": found.value}
            spread = {"low": low, "high": high, "p": found.p, "n": pair[0].shape[1], "seeds": len(pair[0])}
            rows.append({"arm": arm, "split": name, "base": base, **figures, **spread})
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(pl.Series("p_holm", holm(frame["p"].to_numpy()) if rows else np.empty(0)))


def dose_response(*folders: str | Path, column: str, split: str) -> pl.DataFrame:
    """`doses` of run folders on one test set. ValueError if no run's traces were damaged by a share."""
    found = runs(*folders)
    if not (found["dose"] > 0).any():
        raise ValueError("no run there was trained on corrupted traces: a dose needs trace=corrupted runs")
    return doses(load(*folders).filter(pl.col("split") == split), found, column)


def doses(table: pl.LazyFrame, found: pl.DataFrame, column: str) -> pl.DataFrame:
    """A share against the share of steps that were damaged in training, 0 where traces are valid.

    found: as of `runs`.

    A row per series (an arm, its dose left out), kind, dose and test set: value, low, high (for these
    runs), n, seeds.
    """
    knobs = found["dose_knob"].drop_nulls().unique()
    dosed = found.filter(pl.col("dose").is_not_null()).select(
        "run",
        "dose",
        pl.col("kind").fill_null("none"),
        pl.col("arm").str.replace(rf" ({'|'.join(knobs)})=\S+", "").alias("series"),
    )
    joined = table.select("run", "seed", "split", "problem_key", column).join(
        dosed.lazy(), on="run", how="inner"
    )
    return rates(joined, column, by=["series", "kind", "dose", "split"]).sort("kind", "dose", "series")
