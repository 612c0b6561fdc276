"""What task vectors are, and what runs do that they were added to: `tracelab.arithmetic` writes both.

task_vectors.of_run(Path("runs/merged"))      # a row per vector
task_vectors.scales(runs, table)              # accuracy and validity against lambda
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.estimates import shares, with_seeds
from tracelab.runs.arms import config_of

VECTORS, COSINES, SUM = "task_vectors.parquet", "task_cosines.parquet", "sum"


def of_run(folder: Path) -> pl.DataFrame:
    """A row per vector of a run that was made by arithmetic.

    norm: of all matrices together; relative: to the weights that it is added to; changed: share of weights;
    rank_share: effective rank over the most that it could be, the matrices' mean; cosine_with_sum.
    """
    table = pl.read_parquet(folder / VECTORS, glob=False)
    means = table.group_by("vector", maintain_order=True).agg(
        (pl.col("norm") ** 2).sum().sqrt(),
        ((pl.col("norm") ** 2).sum() / (pl.col("base_norm") ** 2).sum()).sqrt().alias("relative"),
        ((pl.col("changed") * pl.col("entries")).sum() / pl.col("entries").sum()).alias("changed"),
        (pl.col("effective_rank") / pl.col("rank")).mean().alias("rank_share"),
    )
    pairs = pl.read_parquet(folder / COSINES, glob=False).filter(matrix="all")
    with_sum = pl.concat(
        pairs.filter(pl.col(end) == SUM).select(pl.col(start).alias("vector"), "cosine")
        for start, end in (("vector", "other"), ("other", "vector"))
    )
    return means.join(
        with_sum.rename({"cosine": "cosine_with_sum"}), on="vector", how="left", maintain_order="left"
    )


def merged(folders: Sequence[str]) -> pl.DataFrame:
    """A row per run among these that was made by arithmetic: run, recipe, lambda, control."""
    rows = []
    for folder in folders:
        config = config_of(Path(folder))
        if knobs := config.get("merge"):
            apart = [f"{name}={knobs[name]}" for name in ("density", "gains", "checkpoint") if name in knobs]
            recipe = " ".join([config["names"]["source"], *apart])
            row = {"run": folder, "recipe": recipe, "lambda": knobs["lambda"]}
            rows.append({**row, "control": knobs.get("control")})
    kinds = {"run": pl.String, "recipe": pl.String, "lambda": pl.Float64, "control": pl.String}
    return pl.DataFrame(rows, schema=kinds)


def scales(runs: pl.DataFrame, table: pl.LazyFrame, level: str = "strict") -> pl.DataFrame:
    """A row per recipe, control, lambda and test set: shares of valid solutions and traces, with intervals.

    runs: of `merged`; table: the outcomes of at least these runs. Runs of several seeds are pooled:
    seeds says how many.
    """
    flags = {"solution": pl.col("solution_valid"), "trace": pl.col(f"trace_{level}")}
    labelled, key = table.join(runs.lazy(), on="run"), ["recipe", "control", "lambda", "split"]
    return with_seeds(shares(labelled, key, flags), labelled, key)
