"""Validity against accuracy: the 2x2 of the two verdicts, their correlation, what one says of the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tracelab.analysis.estimates import as_columns, shares
from tracelab.analysis.variance import LEVEL
from tracelab.core.counting import OK, before_error, share_before_error
from tracelab.core.stats import Bounded, cells, phi_of

REPLICATES = 2000  # of the bootstrap
NAMES = ("both", "only_solution", "only_trace", "neither")  # in the order of `cells`
QUARTILES = {"q25": 0.25, "q50": 0.5, "q75": 0.75}


def joint(
    table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm", "split"), seed: int = 0
) -> pl.DataFrame:
    """The 2x2 of solution and trace validity in each group.

    both, only_solution, only_trace, neither: counts; phi with phi_low and phi_high, by resampling problems
    (null where a verdict never varies, or hangs on so few problems that some resamples have none); n.
    """
    key = [*by, "solution_valid", f"trace_{level}"]
    counted = (
        table.group_by([*key, "problem_key"])
        .agg(pl.len().alias("count"))
        .sort([*by, "problem_key"])
        .collect(engine="streaming")
    )
    rows, draw = [], np.random.default_rng(seed)
    for names, part in counted.group_by(list(by), maintain_order=True):
        place = cells(part["solution_valid"], part[f"trace_{level}"])
        _, problem = np.unique(part["problem_key"].to_numpy(), return_inverse=True)
        per_problem = np.zeros((problem.max() + 1, len(NAMES)))
        np.add.at(per_problem, (problem, place), part["count"].to_numpy())
        counts = per_problem.sum(0)
        known = Bounded(float(phi_of(counts)), *_phi_interval(per_problem, draw))
        rows.append(
            dict(zip(by, names, strict=True))
            | dict(zip(NAMES, counts.astype(int).tolist(), strict=True))
            | as_columns("phi", known)
            | {"n": int(counts.sum())}
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _phi_interval(per_problem: np.ndarray, draw: np.random.Generator) -> tuple[float, float]:
    """Percentiles over resampled problems, of which those with the same counts are drawn together.

    Unknown where more resamples than lie beyond an end have no phi: it could be anything in them.
    """
    n, (kinds, times) = len(per_problem), np.unique(per_problem, axis=0, return_counts=True)
    values = phi_of(draw.multinomial(n, times / n, REPLICATES) @ kinds)
    known, beyond = values[~np.isnan(values)], (1 - LEVEL) / 2
    if len(known) < REPLICATES * (1 - beyond):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [beyond, 1 - beyond])
    return float(low), float(high)


def given(table: pl.LazyFrame, levels: Sequence[str], by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """P(trace valid | solution valid) and P(solution valid | trace valid), a row per group and level.

    of, given, value, low, high (95 %; null where nothing is given), n: how often it was given.
    """
    solution, flags = pl.col("solution_valid"), {}
    for level in levels:
        trace = pl.col(f"trace_{level}")
        flags[f"{level}:solution"] = pl.when(trace).then(solution)
        flags[f"{level}:trace"] = pl.when(solution).then(trace)
    found = shares(table, by, flags)
    parts = []
    for name in flags:
        level, of = name.split(":")
        words = {"level": level, "of": of, "given": "solution" if of == "trace" else "trace"}
        parts.append(found.select(*by, *(pl.lit(word).alias(k) for k, word in words.items()), *_ends(name)))
    return pl.concat(parts).sort(*by, "level", "of")


def first_errors(
    table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm", "split")
) -> pl.DataFrame:
    """How far traces get before their first bad step, a row per group.

    share_before_error, with _low and _high (95 %): the metric of that name, the mean over all traces; those
    that pass, and only they, count as 1. q25, q50, q75: quartiles over the others, null if there are none;
    n: of these.
    """
    names = [f"trace_{level}", f"trace_{level}_at", "trace_steps", "problem_key"]
    frame = table.select(*by, *names).collect(engine="streaming").sort(list(by))
    before = pl.Series("before", before_error(*(frame[name].to_numpy() for name in names[:3])))
    rows = []
    for key, part in frame.with_columns(before).group_by(list(by), maintain_order=True):
        failed = part.filter(~pl.col(names[0]))["before"]
        known = share_before_error(*(part[name].to_numpy() for name in names))
        rows.append(
            dict(zip(by, key, strict=True))
            | as_columns("share_before_error", known)
            | {name: failed.quantile(q) for name, q in QUARTILES.items()}
            | {"n": len(failed)}
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def reasons(table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """Why traces fail at a level: each reason's share of a group's completions, the commonest first.

    reason, count, value, low, high (95 %), n: of completions.
    """
    reason = pl.col(f"trace_{level}_reason").cast(pl.String)
    names = table.select(reason.unique()).collect(engine="streaming").to_series().to_list()
    found = shares(table, by, {name: reason == name for name in names})
    rows = pl.concat([found.select(*by, pl.lit(name).alias("reason"), *_ends(name)) for name in names])
    count = (pl.col("value") * pl.col("n")).round().cast(pl.Int64).alias("count")
    order = {**dict.fromkeys(by, False), "count": True, "reason": False}
    failures = rows.with_columns(count).filter((pl.col("count") > 0) & (pl.col("reason") != OK))
    return failures.sort(list(order), descending=list(order.values()))


def _ends(name: str) -> list[pl.Expr]:
    """Columns of a flag in what `shares` gives, renamed to value, low, high and n."""
    ends = {"value": "", "low": "_low", "high": "_high", "n": "_n"}
    return [pl.col(f"{name}{end}").alias(column) for column, end in ends.items()]
