"""Several completions of each problem: do they agree, is the model sure, and is it right when it is?

A correct solution is called faithful if its trace is valid, too, and stable: half of the problem's traces at
least are valid. A silent failure is a wrong answer that the model is sure of: its votes or its probability
are at least the threshold. A completion without an answer is wrong, but no such failure: it is not silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from tracelab.analysis.estimates import as_columns
from tracelab.core.counting import vote
from tracelab.core.stats import share

Floats = NDArray[np.float64]
ANSWERED = ~pl.col("solution_reason").cast(pl.String).is_in(("truncated", "syntax", "empty"))
NO_WORDS = int(np.frombuffer(blake2b(b"", digest_size=8).digest(), np.uint64)[0])  # their hash
# Outcomes of earlier versions have this hash for the trace of a completion without a solution.
TRACE = pl.when((pl.col("trace_hash") == NO_WORDS) & (pl.col("trace_steps") > 0))
TRACE_HASH = TRACE.then("solution_hash").otherwise("trace_hash").alias("trace_hash")


def per_problem(
    table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm", "seed", "split")
) -> pl.DataFrame:
    """A row per run and problem: samples, correct and valid (counts), both; vote: the share of the commonest
    solution, vote_correct: the chance that it is valid (1 or 0, between them if several are as common);
    vote_answered: the chance that it is an answer, right or wrong; traces_agree: the share of the commonest
    trace; confidence: mean over its samples of exp(mean log-probability of a token).
    """
    key = list(dict.fromkeys([*by, "run", "split", "index"]))
    solution, trace = pl.col("solution_valid"), pl.col(f"trace_{level}")
    names = dict.fromkeys([*key, "problem_key", "solution_hash", "mean_logprob"])
    read = table.select(*names, solution, trace, TRACE_HASH, ANSWERED.alias("answered"))
    frame = read.collect(engine="streaming").sort(key)
    ballot = frame.select(pl.struct(key).rle_id()).to_series()
    common, chance = vote(ballot, frame["solution_hash"], frame["solution_valid"])
    _, answered = vote(ballot, frame["solution_hash"], frame["answered"])
    agree, _ = vote(ballot, frame["trace_hash"], frame[f"trace_{level}"])
    return (
        frame.group_by(key, maintain_order=True)
        .agg(
            pl.col("problem_key").first(),
            pl.len().alias("samples"),
            solution.sum().alias("correct"),
            trace.sum().alias("valid"),
            (solution & trace).sum().alias("both"),
            pl.col("mean_logprob").exp().mean().alias("confidence"),
        )
        .with_columns(vote=common, vote_correct=chance, vote_answered=answered, traces_agree=agree)
    )


def stability(
    table: pl.LazyFrame,
    level: str = "strict",
    by: Sequence[str] = ("arm", "seed", "split"),
    threshold: float = 0.8,
) -> pl.DataFrame:
    """What samples of the same problems say, a row per group. Of several runs, each votes for itself.

    faithful: of correct solutions, the share whose trace is valid and stable (half of the run's traces of the
    problem at least are valid); unfaithful: the rest of them; silent_failure: of problems, the share whose
    commonest solution is a wrong answer with a vote of at least the threshold; each with an interval for
    other problems. maj: majority vote's accuracy, maj@k of all samples. vote, traces_agree: means. r with
    r_low, r_high (Fisher) and r_p: Pearson's correlation over problems of the share of valid traces and of
    correct solutions. n: votes, one per run and problem.
    """
    rows = []
    for key, part in per_problem(table, level, by).group_by(list(by), maintain_order=True):
        problems, stable = part["problem_key"], part["valid"] >= part["samples"] / 2
        correct, faithful = part["correct"], part["both"] * stable
        silent = (part["vote_answered"] - part["vote_correct"]) * (part["vote"] >= threshold)
        rows.append(
            dict(zip(by, key, strict=True))
            | as_columns("faithful", share(faithful, problems, of=correct))
            | as_columns("unfaithful", share(correct - faithful, problems, of=correct))
            | as_columns("silent_failure", share(silent, problems))
            | as_columns("maj", share(part["vote_correct"], problems))
            | {"vote": part["vote"].mean(), "traces_agree": part["traces_agree"].mean()}
            | _pearson(*_qualities(part))
            | {"threshold": threshold, "samples": int(part["samples"].to_numpy().max()), "n": len(part)}
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _qualities(part: pl.DataFrame) -> tuple[Floats, Floats]:
    """-> of each problem, all runs together: the shares of valid traces and of correct solutions."""
    shares = pl.col("valid", "correct").sum() / pl.col("samples").sum()
    found = part.group_by("problem_key", maintain_order=True).agg(shares)
    return found["valid"].to_numpy(), found["correct"].to_numpy()


def _pearson(x: Floats, y: Floats) -> dict[str, float | None]:
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return dict.fromkeys(("r", "r_low", "r_high", "r_p"))
    test = stats.pearsonr(x, y)
    low, high = test.confidence_interval(0.95)
    return {"r": float(test.statistic), "r_low": float(low), "r_high": float(high), "r_p": float(test.pvalue)}
