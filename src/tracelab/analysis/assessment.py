"""Does a model find a valid trace likelier than its damaged twin? What `tracelab.assess` found.

table = assessment.load_assessment("runs/study")
assessment.by_damage(table)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.estimates import shares, with_seeds
from tracelab.analysis.loading import Runs, load_beside

FILE = "assessment.parquet"
FIGURES = ("whole", "per_token", "first")


def load_assessment(*folders: Runs) -> pl.LazyFrame:
    """The pairs of all finished runs at or below the folders that have some, labelled as by `load`.

    ValueError if none has.
    """
    return _whole(load_beside(FILE, "assess", *folders))


def of_file(path: Path) -> pl.DataFrame:
    """One run's pairs, see `by_damage`."""
    return by_damage(pl.scan_parquet(path, glob=False), by=("split",))


def by_damage(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """How often the valid trace is likelier than its twin, a row per group, kind and rate of damage.

    Shares with _low and _high (95 %, over problems; for these runs), in which a tie counts one half. whole:
    of whole traces, where a shorter one has the advantage; per_token: of their mean per token, where it has
    none: of twins as long as their traces both say the same; first: of the first token that differs, which is
    read behind the same words, of twins whose step there is locally invalid; first_n: how many they are, and
    first_legal: how many are not, whose step is legal there (null of files that do not say which: they count
    all). same_length: the share of twins that are as long; longer: by how many tokens
    they are, mean; nats: by how much the valid trace is likelier per token, mean; n; left_out; seeds.
    """
    key, table = [*by, "kind", "rate"], _whole(table)
    per_token = {name: pl.col(f"{name}_logprob") / pl.col(f"{name}_tokens") for name in ("valid", "twin")}
    flags = {
        "whole": likelier(pl.col("valid_logprob"), pl.col("twin_logprob")),
        "per_token": likelier(per_token["valid"], per_token["twin"]),
        "first": likelier_at_first(),
    }
    longer = pl.col("twin_tokens") - pl.col("valid_tokens")
    runs = table.group_by(*key, *({"run", "split"} - set(key))).agg(
        (longer == 0).sum().alias("same"),
        longer.sum().alias("longer"),
        (per_token["valid"] - per_token["twin"]).sum().alias("nats"),
        pl.len().alias("n"),
        pl.col("left_out").first(),
        (~pl.col("first_wrong")).sum().alias("legal"),
        pl.col("first_wrong").is_null().any().alias("unknown"),
    )
    counted = runs.group_by(key).agg(pl.exclude("run", "split").sum()).collect()
    n = pl.col("n")
    means = counted.select(
        *key,
        (pl.col("same") / n).alias("same_length"),
        (pl.col("longer") / n).alias("longer"),
        (pl.col("nats") / n).alias("nats"),
        n.cast(pl.Int64),
        pl.col("left_out").cast(pl.Int64),
        pl.when(pl.col("unknown") == 0).then(pl.col("legal")).cast(pl.Int64).alias("first_legal"),
    )
    found = shares(table, key, flags).drop("whole_n", "per_token_n")
    return with_seeds(found.join(means, on=key, nulls_equal=True).sort(key), table, key)


def likelier_at_first() -> pl.Expr:
    """`likelier` of the first token that differs; null where the twin's step there is legal.

    Of files of older versions, which do not say so, all pairs count.
    """
    wrong = pl.col("first_wrong").fill_null(True)
    return pl.when(wrong).then(likelier(pl.col("valid_first"), pl.col("twin_first")))


def _whole(table: pl.LazyFrame) -> pl.LazyFrame:
    """The table, with first_wrong null where an older version did not write it."""
    if "first_wrong" in table.collect_schema():
        return table
    return table.with_columns(pl.lit(None, pl.Boolean).alias("first_wrong"))


def likelier(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """1 where the first is larger, 0 where the second is, and one half of a tie."""
    return pl.when(one == other).then(0.5).otherwise((one > other).cast(pl.Float64))
