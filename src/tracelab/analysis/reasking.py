"""Which question is answered behind a trace that was written for another? What `tracelab.reask` found.

table = reasking.load_reasked("runs/study")
reasking.by_trace(table)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.estimates import shares, with_seeds
from tracelab.analysis.loading import Runs, load_beside

FILE = "reasked.parquet"
FIGURES = ("second", "first", "neither", "held", "second_held", "second_not_held")
TRACES = ("first", "fresh", "own", "reference", "none")  # see `probes.reasking`, in this order


def load_reasked(*folders: Runs) -> pl.LazyFrame:
    """The answers of all finished runs at or below the folders that were asked again, labelled as by `load`.

    ValueError if none was.
    """
    return load_beside(FILE, "reask", *folders)


def of_file(path: Path) -> pl.DataFrame:
    """One run's answers, see `by_trace`."""
    return by_trace(pl.scan_parquet(path, glob=False), by=("split",))


def by_trace(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """Which question the answers fit, a row per group and kind of trace (`behind`), in the order of TRACES.

    second, first, neither: they add up to 1, but for answers that fit both; held: the share of traces that
    settle the second question; second_held, second_not_held: the second question's share where they do, and
    where they do not, null if there is none. Each with _low and _high (95 %, for other problems); n: answers;
    left_out: problems without a second question whose answer is another; seeds.
    """
    key, held = [*by, "behind"], pl.col("held")
    flags = {
        "second": pl.col("second"),
        "first": pl.col("first"),
        "neither": ~pl.col("second") & ~pl.col("first"),
        "held": held,
        "second_held": pl.when(held).then(pl.col("second")),
        "second_not_held": pl.when(~held).then(pl.col("second")),
    }
    sets = table.group_by(*key, *({"run", "split"} - set(key))).agg(pl.col("left_out").first())
    left_out = sets.group_by(key).agg(pl.col("left_out").sum().cast(pl.Int64)).collect()
    found = shares(table, key, flags).rename({"second_n": "n"})
    found = found.drop(f"{name}_n" for name in FIGURES[1:]).join(left_out, on=key, nulls_equal=True)
    place = pl.col("behind").replace_strict(TRACES, range(len(TRACES)))
    return with_seeds(found.sort(*by, place), table, key)
