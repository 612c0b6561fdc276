"""What imposed traces did: how often the answer stays right, changes, or is the one the trace leads to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.estimates import shares
from tracelab.analysis.loading import Runs, load_beside

FIGURES = ("valid", "changed", "follows")
FIRST = ("own", "none", "prefix", "correct", "swapped", "matched")  # then the other kinds, by name


DONATED = ("swapped", "matched")  # traces of other problems: what they lead to is no answer of this one's


def load_interventions(*folders: Runs) -> pl.LazyFrame:
    """The interventions of all finished runs at or below the folders that have some, labelled as by `load`.

    ValueError if none has.
    """
    return of_donors(load_beside("interventions.parquet", "intervene", *folders))


def of_run(path: Path) -> pl.DataFrame:
    """One run's interventions, see `by_intervention`."""
    return by_intervention(of_donors(pl.scan_parquet(path, glob=False)), by=("split",))


def of_donors(table: pl.LazyFrame) -> pl.LazyFrame:
    """The table, with `follows` null where no other problem gave the trace.

    Older files say there whether the answer is the problem's own reference, which is no sign of any trace.
    """
    return table.with_columns(pl.when(pl.col("intervention").is_in(DONATED)).then("follows"))


def by_intervention(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """A row per group, intervention and dose.

    valid, changed, follows: shares, each with _low and _high (95 %), of follows null but for DONATED;
    reference_logprob: mean, in nats
    per token of the reference solution; trace_tokens: mean; n.
    """
    key = [*by, "intervention", "dose"]
    means = table.group_by(key).agg(
        pl.col("reference_logprob").sum() / pl.col("reference_tokens").sum(),
        pl.col("trace_tokens").mean(),
        pl.len().alias("n"),
    )
    found = shares(table, key, {name: pl.col(name) for name in FIGURES})
    place = pl.col("intervention").replace_strict(FIRST, range(len(FIRST)), default=len(FIRST))
    return (
        found.drop(f"{name}_n" for name in FIGURES)
        .join(means.collect(engine="streaming"), on=key, nulls_equal=True)
        .sort(*by, place, "intervention", "dose")
    )
