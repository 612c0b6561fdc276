"""What is measured of arms, on every test set of a task, each with the rule by which it is judged.

for measured in between(outcomes, "correct", "solution_only", RIGHT, difference):
    print(measured.split, measured.found.interval())
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelab.analysis.cells import FAR, Ranked, TaskOutcomes, check_same_problems, drop_of_ranks, ratio
from tracelab.analysis.variance import Spread, by_problem, gap, spread
from tracelab.analysis.verdicts import RANK_MARGIN, Rule, difference, difference_of
from tracelab.core.counting import before_error

FEWEST = 50  # right solutions, or valid traces, below which a share of them settles nothing
RIGHT, VALID = pl.col("solution_valid"), pl.col("trace_strict")
LEGAL = pl.col("trace_local")  # each step; strict validity, in addition, implies the solution


@dataclass(frozen=True)
class Measurement:
    """One estimate with the rule by which it is judged. enough: are there cases enough for a verdict?"""

    arm: str
    base: str | None
    split: str
    found: Spread
    rule: Rule
    seeds: int
    enough: bool = True


def between(
    outcomes: TaskOutcomes, arm: str | None, base: str | None, value: pl.Expr, rule: Rule
) -> Iterator[Measurement]:
    """An arm less another, whose seeds have nothing to do with each other; none if either is missing."""
    if arm is None or base is None:
        return
    one, other = outcomes.cells(arm, value), outcomes.cells(base, value)
    check_same_problems(one, other)
    for split in one.splits:
        whose = one.whose(split)
        parts = [by_problem(cells.on(split), whose) for cells in (one, other)]
        found = spread(parts, (1, -1)).at_least(len(np.unique(whose)))
        yield Measurement(arm, base, split, found, rule, min(len(one.seeds), len(other.seeds)))


def after(outcomes: TaskOutcomes, value: pl.Expr, rule: Rule) -> Iterator[Measurement]:
    """Post-trained runs less those that they began from, seed by seed."""
    for arm, base in outcomes.post_trained():
        one, other = outcomes.cells(arm, value), outcomes.cells(base, value)
        seeds = [seed for seed in one.seeds if seed in other.seeds]
        if seeds:
            one, other = one.only(seeds), other.only(seeds)
            check_same_problems(one, other)
            for split in one.splits:
                whose = one.whose(split)
                gain = by_problem(one.on(split) - other.on(split), whose)
                found = spread([gain], [1]).at_least(len(np.unique(whose)))
                yield Measurement(arm, base, split, found, rule, len(seeds))


def share(
    outcomes: TaskOutcomes, arm: str | None, of: pl.Expr, among: pl.Expr, rule: Rule
) -> Iterator[Measurement]:
    """The share of completions with `of` among an arm's completions with `among`."""
    if arm is None:
        return
    both, all_ = outcomes.cells(arm, of & among), outcomes.cells(arm, among)
    for split in all_.splits:
        cases, whose = all_.on(split), all_.whose(split)
        if cases.any():
            shares = by_problem(ratio(both.on(split), cases), whose)
            found = spread([shares], [1]).at_least(len(np.unique(whose[cases.any(0)])))
            yield Measurement(arm, None, split, found, rule, len(all_.seeds), float(cases.sum()) >= FEWEST)


def ranks(outcomes: TaskOutcomes) -> Iterator[Measurement]:
    """The rank correlation of length and complexity in distribution, less that on the far test sets."""
    arm = outcomes.arm("correct")
    if arm is None or "expansions" not in outcomes.table.collect_schema().names():
        return
    length = pl.when(pl.col("truncated")).then(float("inf")).otherwise(pl.col("completion_tokens"))
    lengths, sizes = outcomes.cells(arm, length), outcomes.cells(arm, pl.col("expansions"))
    near, *others = (
        Ranked(sizes.of[split][0], lengths.of[split], lengths.problems[split]) for split in lengths.of
    )
    for split in lengths.splits[1:]:
        far = others if split == FAR else [others[list(lengths.of).index(split) - 1]]
        found = drop_of_ranks(near, far)
        yield Measurement(arm, None, split, found, difference_of(RANK_MARGIN), len(lengths.seeds))


def short_less_long(outcomes: TaskOutcomes) -> Iterator[Measurement]:
    """Validity behind right solutions: the quarter of shortest reference traces less that of the longest."""
    arm = outcomes.arm("correct")
    if arm is None:
        return
    both, right = outcomes.cells(arm, VALID & RIGHT), outcomes.cells(arm, RIGHT)
    steps = outcomes.cells(arm, pl.col("reference_steps"))
    for split in right.splits:
        size, whose = steps.on(split)[0], right.whose(split)
        ends = size <= np.quantile(size, 0.25), size >= np.quantile(size, 0.75)
        cases = [right.on(split)[:, chosen] for chosen in ends]
        if all(part.any() for part in cases):
            shares = [
                by_problem(ratio(both.on(split)[:, chosen], part), whose[chosen])
                for chosen, part in zip(ends, cases, strict=True)
            ]
            fewest = min(
                len(np.unique(whose[chosen][part.any(0)])) for chosen, part in zip(ends, cases, strict=True)
            )
            found = gap((shares[0], shares[1])).at_least(fewest)
            enough = min(float(part.sum()) for part in cases) >= FEWEST
            yield Measurement(arm, None, split, found, difference, len(right.seeds), enough)


def _share_before_error() -> pl.Expr:
    """The share of a trace's steps before its first bad one."""
    names = ("trace_strict", "trace_strict_at", "trace_steps")

    def of(columns: Sequence[pl.Series]) -> pl.Series:
        passes, at, steps = (column.fill_null(0).to_numpy() for column in columns)
        return pl.Series(before_error(passes, at, steps))

    return pl.map_batches([pl.col(name) for name in names], of, return_dtype=pl.Float64)


BEFORE = _share_before_error()
