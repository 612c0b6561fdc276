"""How far post-training moved a model: what `tracelab.likelihood` found.

table = likelihood.load_likelihood("runs/study")
likelihood.by_verdict(table)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis.estimates import as_columns
from tracelab.analysis.loading import Runs, load_beside
from tracelab.core.stats import mean

FILE = "likelihood.parquet"
FIGURES = ("before", "after", "moved")


def load_likelihood(*folders: Runs) -> pl.LazyFrame:
    """The completions of all runs at or below the folders that were asked, labelled as by `load`.

    ValueError if there are none.
    """
    return load_beside(FILE, "likelihood", *folders)


def of_file(path: Path) -> pl.DataFrame:
    """One run's completions, see `by_verdict`."""
    return by_verdict(pl.scan_parquet(path, glob=False), by=("split",))


def by_verdict(table: pl.LazyFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """Log-probabilities of completions, a row per group, by who wrote them and what was judged of them.

    written: "before" or "after"; solution_valid, trace_valid (strictly): of these completions, null for all
    of them. before, after: nats per token under each model, means over completions; moved: by how many nats
    the whole completion is likelier after; each with _low and _high (95 %, over problems). Of what is sampled
    after, at temperature 1, the mean of `moved` is the divergence of the two models, KL(after, before). n.
    """
    tokens = pl.col("tokens")
    frame = table.select(
        *by,
        "written",
        "problem_key",
        "solution_valid",
        pl.col("trace_strict").alias("trace_valid"),
        before=pl.col("before_logprob") / tokens,
        after=pl.col("after_logprob") / tokens,
        moved=pl.col("after_logprob") - pl.col("before_logprob"),
    ).collect(engine="streaming")
    key, verdicts = [*by, "written"], ["solution_valid", "trace_valid"]
    rows = []
    for names in (key, [*key, *verdicts]):
        for values, part in frame.sort(names).group_by(names, maintain_order=True):
            row = dict.fromkeys(verdicts) | dict(zip(names, values, strict=True)) | {"n": len(part)}
            for figure in FIGURES:
                row |= as_columns(figure, mean(part[figure].to_numpy(), part["problem_key"].to_numpy()))
            rows.append(row)
    ends = [f"{figure}{end}" for figure in FIGURES for end in ("", "_low", "_high")]
    kinds = dict.fromkeys(verdicts, pl.Boolean) | dict.fromkeys(ends, pl.Float64)
    found = pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)
    return found.select(*key, *verdicts, *ends, "n").sort([*by, "written", *verdicts], nulls_last=False)
