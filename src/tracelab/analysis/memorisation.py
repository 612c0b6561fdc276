"""Solved or remembered? What `tracelab.memorise` found: trained problems, small changes of them, fresh ones.

    table = memorisation.load_memorisation("runs/study")
    memorisation.by_set(table)
    memorisation.gaps(table)

LiMem, the score of Xie et al. (2024, arXiv 2410.23123), is the share of trained problems that are solved
while their change is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from tracelab.analysis.estimates import holm, matrices, shares, values_of
from tracelab.analysis.loading import Runs, load_beside
from tracelab.analysis.variance import Floats, Spread, by_problem, nested

FILE = "memorisation.parquet"
TRAIN, FRESH = "train", "fresh"


def load_memorisation(*folders: Runs) -> pl.LazyFrame:
    """The sets of all finished runs at or below the folders that have some, labelled as by `load`; a row per
    completion, the set's name in the column `split`. ValueError if none has.
    """
    return load_beside(FILE, "memorise", *folders)


def of_file(path: Path) -> pl.DataFrame:
    """One run's sets, see `by_set`."""
    return by_set(pl.scan_parquet(path, glob=False), by=())


def sets_of(table: pl.LazyFrame) -> list[str]:
    """Their names: train, the changes, fresh."""
    names = table.select(pl.col("split").unique(maintain_order=True)).collect()["split"].to_list()
    return [TRAIN, *(name for name in names if name not in (TRAIN, FRESH)), FRESH]


def by_set(table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm",)) -> pl.DataFrame:
    """A row per group and set.

    solution, trace: shares that are valid (the trace at a level); origin: valid solutions of the trained
    problems that these come from; recited: where the trained problem's own solution is wrong, the share of
    answers that are it; each with _low and _high (95 %, for these runs), null where there is nothing to
    count. n; times_trained: mean; impossible, known: problems that were left out, because they have no such
    change, or because it was trained on.
    """
    key, pair = [*by, "split"], ["run", "index", "sample"]
    flags = {
        "solution": pl.col("solution_valid"),
        "trace": pl.col(f"trace_{level}"),
        "origin": pl.when(pl.col("split") != FRESH).then("origin"),
        "recited": pl.when(~pl.col("parent_solves")).then("recites"),
    }
    trained = table.filter(pl.col("split") == TRAIN).select(*pair, origin="solution_valid")
    paired = table.join(trained, on=pair, how="left")
    runs = table.group_by(*key, "run").agg(
        pl.len().alias("n"), pl.col("times_trained").mean(), pl.col("impossible", "known").first()
    )
    sums = pl.col("n", "impossible", "known").sum()
    found = runs.group_by(key).agg(sums, pl.col("times_trained").mean()).collect()
    figures = shares(paired, key, flags).drop(f"{name}_n" for name in flags)
    found = found.join(figures, on=key, nulls_equal=True)
    order = sets_of(table)
    return found.sort(*by, pl.col("split").replace_strict(order, range(len(order))))


def gaps(table: pl.LazyFrame, column: str = "solution_valid") -> pl.DataFrame:
    """What is lost from trained problems to changed and to fresh ones: a row per arm and set.

    train, value: the shares on trained problems (on those that have the change) and on the set, means of the
    seeds'; gap: what the first has more, with low, high and p for other problems and seeds (`nested`: each
    seed was trained on problems of its own; what is changed is compared with what it comes from), p_holm for
    all rows; n: problems of all seeds; seeds. Of changes also, with _low and _high for these runs,
    consistent: of trained problems that are solved, the share whose change is, too; limem: see above.
    ValueError if two runs of an arm have one seed, or were given other fresh problems.
    """
    fresh, cells, rows = matrices(table, column, FRESH), problems_of(table, column), []
    trained = cells.filter(split=TRAIN).drop("split")
    changed = cells.filter(~pl.col("split").is_in([TRAIN, FRESH]))
    pairs = changed.join(trained, on=["arm", "seed", "index"], suffix="_trained", maintain_order="left")
    for arm, new in fresh.items():
        for name in sets_of(table)[1:-1]:
            mine = pairs.filter(arm=arm, split=name)
            before, after = _by_seed(mine, "value_trained"), _by_seed(mine, "value")
            if before:
                keys = _by_seed(mine, "problem_key")
                losses = [by_problem(a - b, key) for a, b, key in zip(before, after, keys, strict=True)]
                rows.append(_row(arm, name, before, after, nested(losses)))
        own, keys = (_by_seed(trained.filter(arm=arm), name) for name in ("value", "problem_key"))
        known = [by_problem(values, key) for values, key in zip(own, keys, strict=True)]
        unknown = values_of(new)
        rows.append(_row(arm, FRESH, known, list(unknown), nested(known, unknown)))
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame = frame.with_columns(pl.Series("p_holm", holm(frame["p"].to_numpy())))
    return frame.join(_consistency(pairs), on=["arm", "split"], how="left", maintain_order="left")


def problems_of(table: pl.LazyFrame, column: str, *others: str) -> pl.DataFrame:
    """A row per arm, seed, set and problem: all samples' mean as `value`, and other columns of the problem.

    problem_key is that of the trained problem.
    """
    key = ["arm", "seed", "split", "index"]
    value = pl.col(column).cast(pl.Float64).mean().alias("value")
    first = pl.col("parent_key").first().alias("problem_key"), *(pl.col(name).first() for name in others)
    return table.group_by(key).agg(value, *first).sort(key).collect()


def _by_seed(frame: pl.DataFrame, column: str) -> list[Floats]:
    """A column's values of each seed, in the problems' order."""
    parts = frame.sort("seed", "index").partition_by("seed", maintain_order=True)
    return [part[column].to_numpy() for part in parts]


def _row(
    arm: str, name: str, known: Sequence[Floats], there: Sequence[Floats], gap: Spread
) -> dict[str, str | float]:
    train, value = (float(np.mean([part.mean() for part in parts])) for parts in (known, there))
    low, high = gap.interval()
    figures = {"train": train, "value": value, "gap": gap.value, "low": low, "high": high, "p": gap.p}
    return {"arm": arm, "split": name, **figures, "n": sum(map(len, there)), "seeds": len(known)}


def _consistency(pairs: pl.DataFrame) -> pl.DataFrame:
    """Per arm and change. Of several samples of a problem, most count."""
    before, after = pl.col("value_trained") > 0.5, pl.col("value") > 0.5
    flags = {"consistent": pl.when(before).then(after), "limem": before & ~after}
    return shares(pairs.lazy(), ["arm", "split"], flags).drop(f"{name}_n" for name in flags)
