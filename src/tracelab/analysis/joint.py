"""Validity against accuracy: the 2x2 of the two verdicts, their correlation, what one says of the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tracelab.analysis.estimates import shares
from tracelab.analysis.variance import LEVEL

REPLICATES = 2000  # of the bootstrap
CELLS = ("both", "only_solution", "only_trace", "neither")


def joint(
    table: pl.LazyFrame, level: str = "strict", by: Sequence[str] = ("arm", "split"), seed: int = 0
) -> pl.DataFrame:
    """The 2x2 of solution and trace validity in each group.

    both, only_solution, only_trace, neither: counts; phi with phi_low and phi_high, by resampling problems
    (null where a verdict never varies); n.
    """
    key = [*by, "solution_valid", f"trace_{level}"]
    cells = (
        table.group_by([*key, "problem_key"])
        .agg(pl.len().alias("count"))
        .sort([*by, "problem_key"])
        .collect(engine="streaming")
    )
    rows, draw = [], np.random.default_rng(seed)
    for names, part in cells.group_by(list(by), maintain_order=True):
        solution, trace = part["solution_valid"].to_numpy(), part[f"trace_{level}"].to_numpy()
        kind = 2 * ~solution + ~trace  # the place in CELLS
        _, problem = np.unique(part["problem_key"].to_numpy(), return_inverse=True)
        per_problem = np.zeros((problem.max() + 1, 4))
        np.add.at(per_problem, (problem, kind), part["count"].to_numpy())
        counts = per_problem.sum(0)
        low, high = _phi_interval(per_problem, draw)
        rows.append(
            dict(zip(by, names, strict=True))
            | dict(zip(CELLS, counts.astype(int).tolist(), strict=True))
            | {"phi": _phi(counts), "phi_low": low, "phi_high": high, "n": int(counts.sum())}
        )
    return pl.DataFrame(rows)


def _phi(counts: np.ndarray) -> float | None:
    """Phi coefficient of a 2x2 table's counts, in the order of CELLS; None if a margin is zero."""
    a, b, c, d = counts
    spread = (a + b) * (c + d) * (a + c) * (b + d)
    return float((a * d - b * c) / spread**0.5) if spread > 0 else None


def _phi_interval(per_problem: np.ndarray, draw: np.random.Generator) -> tuple[float | None, float | None]:
    """Percentiles over resampled problems, of which those with the same counts are drawn together."""
    n, (kinds, times) = len(per_problem), np.unique(per_problem, axis=0, return_counts=True)
    counts = draw.multinomial(n, times / n, REPLICATES) @ kinds
    values = [value for value in map(_phi, counts) if value is not None]
    if len(values) < REPLICATES / 2:
        return None, None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
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
    """Where invalid traces go wrong: the share of the trace before the first bad step, quartiles and n."""
    at = pl.col(f"trace_{level}_at") / pl.max_horizontal("trace_steps", pl.lit(1))
    quartiles = {"q25": 0.25, "q50": 0.5, "q75": 0.75}
    return (
        table.filter(~pl.col(f"trace_{level}"))
        .group_by(list(by))
        .agg(*(at.clip(0, 1).quantile(q).alias(name) for name, q in quartiles.items()), pl.len().alias("n"))
        .sort(list(by))
        .collect(engine="streaming")
    )


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
    failures = rows.with_columns(count).filter((pl.col("count") > 0) & (pl.col("reason") != "ok"))
    return failures.sort(list(order), descending=list(order.values()))


def _ends(name: str) -> list[pl.Expr]:
    """Columns of a flag in what `shares` gives, renamed to value, low, high and n."""
    ends = {"value": "", "low": "_low", "high": "_high", "n": "_n"}
    return [pl.col(f"{name}{end}").alias(column) for column, end in ends.items()]
