"""How far what was learned carries: from the test set in distribution to others, and along a dose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.estimates import gap, holm, matrices, rates
from tracelab.analysis.loading import load, runs


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
            pair = there.select(there.columns[2:]).to_numpy().T, here.select(here.columns[2:]).to_numpy().T
            found = gap(pair)
            low, high = found.interval()
            figures = {"value": pair[0].mean(), "base_value": pair[1].mean(), "difference": found.value}
            spread = {"low": low, "high": high, "p": found.p, "n": pair[0].shape[1], "seeds": len(pair[0])}
            rows.append({"arm": arm, "split": name, "base": base, **figures, **spread})
    frame = pl.DataFrame(rows)
    return frame.with_columns(pl.Series("p_holm", holm(frame["p"].to_numpy()) if rows else np.empty(0)))


def dose_response(*folders: str | Path, column: str, split: str) -> pl.DataFrame:
    """A share against the rate of corruption, a row per kind and rate; rate 0 is the arm `correct`.

    value, low, high (Wilson, for these runs), n, seeds. ValueError if no run was corrupted.
    """
    about = runs(*folders).select("run", "treatment", "rate", "kind")
    if not (about["treatment"] == "corrupted").any():
        raise ValueError("no run there was trained on corrupted traces: a dose needs trace=corrupted runs")
    dosed = about.filter(pl.col("treatment").is_in(["correct", "corrupted"])).with_columns(
        pl.col("rate").fill_null(0.0), pl.col("kind").fill_null("none")
    )
    outcomes = load(*folders).filter(pl.col("split") == split)
    table = outcomes.join(dosed.lazy().select("run", "rate", "kind"), on="run", how="inner", suffix="_of_run")
    return rates(table, column, by=["kind", "rate"])
