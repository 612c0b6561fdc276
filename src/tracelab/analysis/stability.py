"""Several completions of each problem: do they agree, is the model sure, and is it right when it is?

A correct solution is called faithful if its trace is valid, too, and stable: most of the problem's traces
are valid. A silent failure is a wrong answer that the model is sure of: its votes or its probability are at
least the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tracelab.core.stats import clustered

Floats = NDArray[np.float64]


def per_problem(
    table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm", "seed", "split")
) -> pl.DataFrame:
    """A row per problem: samples, correct and valid (counts), both; vote: the share of the commonest
    solution, vote_correct: is that one valid?; traces_agree: the share of the commonest trace; confidence:
    mean over its samples of exp(mean log-probability of a token).
    """
    key = [*by, "index"]
    solution, trace = pl.col("solution_valid"), pl.col(f"trace_{level}")
    votes = (
        table.group_by([*key, "solution_hash"])
        .agg(pl.len().alias("votes"), solution.any().alias("voted_valid"), pl.col("sample").min())
        .sort([*key, "votes", "sample"], descending=[*(False for _ in key), True, False])
        .group_by(key, maintain_order=True)
        .agg(pl.col("votes").first(), pl.col("voted_valid").first().alias("vote_correct"))
    )
    traces = (
        table.group_by([*key, "trace_hash"])
        .agg(pl.len().alias("same"))
        .group_by(key)
        .agg(pl.col("same").max())
    )
    whole = table.group_by(key).agg(
        pl.len().alias("samples"),
        solution.sum().alias("correct"),
        trace.sum().alias("valid"),
        (solution & trace).sum().alias("both"),
        pl.col("mean_logprob").exp().mean().alias("confidence"),
    )
    return (
        whole.join(votes, on=key)
        .join(traces, on=key)
        .with_columns(
            (pl.col("votes") / pl.col("samples")).alias("vote"),
            (pl.col("same") / pl.col("samples")).alias("traces_agree"),
        )
        .drop("votes", "same")
        .sort(key)
        .collect(engine="streaming")
    )


def stability(
    table: pl.LazyFrame,
    level: str = "strict",
    by: Sequence[str] = ("arm", "seed", "split"),
    threshold: float = 0.8,
) -> pl.DataFrame:
    """What samples of the same problems say, a row per group.

    faithful: of correct solutions, the share whose trace is valid and stable (half of the problem's traces
    at least are valid); unfaithful: the rest of them; silent_failure: of problems, the share whose commonest
    solution is wrong with a vote of at least the threshold; each with an interval for other problems. maj:
    majority vote's accuracy. vote, traces_agree: means. r with r_low, r_high (Fisher) and r_p: Pearson's
    correlation over problems of the share of valid traces and of correct solutions.
    """
    rows = []
    for key, part in per_problem(table, level, by).group_by(list(by), maintain_order=True):
        stable = part["valid"] >= part["samples"] / 2
        correct, faithful = part["correct"], part["both"] * stable
        silent = ~part["vote_correct"] & (part["vote"] >= threshold)
        once = np.ones(len(part))
        rows.append(
            dict(zip(by, key, strict=True))
            | _share("faithful", faithful, correct)
            | _share("unfaithful", correct - faithful, correct)
            | _share("silent_failure", silent, once)
            | _share("maj", part["vote_correct"], once)
            | {"vote": part["vote"].mean(), "traces_agree": part["traces_agree"].mean()}
            | _pearson(
                (part["valid"] / part["samples"]).to_numpy(), (part["correct"] / part["samples"]).to_numpy()
            )
            | {"threshold": threshold, "samples": int(part["samples"].to_numpy().max()), "n": len(part)}
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _share(name: str, true: ArrayLike, of: ArrayLike) -> dict[str, float | None]:
    """A share with its 95 % interval, clustered by problem, from counts per problem; None if `of` is 0."""
    k, n = np.asarray(true).sum(), np.asarray(of).sum()
    if n == 0:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = clustered(true, of)
    return {name: float(k / n), f"{name}_low": low, f"{name}_high": high}


def _pearson(x: Floats, y: Floats) -> dict[str, float | None]:
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return dict.fromkeys(("r", "r_low", "r_high", "r_p"))
    test = stats.pearsonr(x, y)
    low, high = test.confidence_interval(0.95)
    return {"r": float(test.statistic), "r_low": float(low), "r_high": float(high), "r_p": float(test.pvalue)}
