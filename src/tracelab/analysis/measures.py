"""What is measured of arms, on every test set of a task, each with the rule by which it is judged.

for measured in between(outcomes, "correct", "solution_only", RIGHT, difference):
    print(measured.split, measured.found.interval())
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelab.analysis.cells import FAR, Ranked, TaskOutcomes, check_same_problems, drop_of_ranks
from tracelab.analysis.variance import Floats, Spread, of_ratios, spread
from tracelab.analysis.verdicts import RANK_MARGIN, Rule, difference, difference_of
from tracelab.core.counting import before_error

FEWEST = 50  # right solutions, or valid traces, below which a share of them settles nothing
RIGHT, VALID = pl.col("solution_valid"), pl.col("trace_strict")
UNKNOWN = Spread(float("nan"), float("nan"), float("nan"))  # a share of nothing
LEGAL = pl.col("trace_local")  # each step; strict validity, in addition, implies the solution


@dataclass(frozen=True)
class Measurement:
    """One estimate with the rule by which it is judged.

    enough: are there cases enough for a verdict? claim: where a part has several of a task, each a claim of
    its own, which this is.
    """

    arm: str
    base: str | None
    split: str
    found: Spread
    rule: Rule
    seeds: int
    enough: bool = True
    claim: str = ""


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
        found = spread([one.counted(split), other.counted(split)], (1, -1)).at_least(len(np.unique(whose)))
        yield Measurement(arm, base, split, found, rule, min(len(one.seeds), len(other.seeds)))


def after(outcomes: TaskOutcomes, value: pl.Expr, rule: Rule) -> Iterator[Measurement]:
    """Post-trained runs less those that they went on from. seeds: of the latter."""
    for arm, base, gains in outcomes.gains(value):
        for split in gains.splits:
            found = spread([gains.counted(split)], [1]).at_least(len(np.unique(gains.whose(split))))
            yield Measurement(arm, base, split, found, rule, len(gains.seeds), claim=arm)


def share(
    outcomes: TaskOutcomes, arm: str | None, of: pl.Expr, among: pl.Expr, rule: Rule
) -> Iterator[Measurement]:
    """The share of completions with `of` among an arm's completions with `among`. seeds: those with any.

    Where no completion has `among` the share is not known, which is nan.
    """
    if arm is None:
        return
    both, all_ = outcomes.cells(arm, of & among), outcomes.cells(arm, among)
    for split in all_.splits:
        cases, whose, weights = all_.on(split), all_.whose(split), all_.weights(split)
        found = UNKNOWN
        if cases.any():
            found = of_ratios([(1, both.on(split) * weights, cases * weights)], whose, all_.strata(split))
            found = found.at_least(len(np.unique(whose[cases.any(0)])))
        seeds, enough = int(cases.any(1).sum()), float(cases.sum()) >= FEWEST
        yield Measurement(arm, None, split, found, rule, seeds, enough)


def ranks(outcomes: TaskOutcomes) -> Iterator[Measurement]:
    """The rank correlation of length and complexity in distribution, less that on the far test sets.

    A test set whose problems are all as complex has none, and is left out.
    """
    arm = outcomes.arm("correct")
    if arm is None or "expansions" not in outcomes.table.collect_schema().names():
        return
    length = pl.when(pl.col("truncated")).then(float("inf")).otherwise(pl.col("completion_tokens"))
    lengths, sizes = outcomes.cells(arm, length), outcomes.cells(arm, pl.col("expansions"))
    known = {
        split: Ranked(sizes.of[split][0], lengths.of[split], lengths.problems[split])
        for split in lengths.of
        if np.ptp(sizes.of[split][0]) > 0
    }
    near = known.pop(lengths.splits[0], None)
    if near is None or not known:
        return
    for split in (FAR, *known):
        found = drop_of_ranks(near, [*known.values()] if split == FAR else [known[split]])
        yield Measurement(arm, None, split, found, difference_of(RANK_MARGIN), len(lengths.seeds))


def short_less_long(outcomes: TaskOutcomes) -> Iterator[Measurement]:
    """Validity behind right solutions: the quarter of shortest reference traces less that of the longest.

    Where lengths tie at a quarter's end, each of those that tie counts for a part. A test set whose reference
    traces are all of one length has no row; where a quarter has no right solution, the difference is nan.
    """
    arm = outcomes.arm("correct")
    if arm is None:
        return
    both, right = outcomes.cells(arm, VALID & RIGHT), outcomes.cells(arm, RIGHT)
    steps = outcomes.cells(arm, pl.col("reference_steps"))
    for split in right.splits:
        size, whose, counts = steps.on(split)[0], right.whose(split), right.weights(split)
        quarters = [lowest_quarter(size, counts), lowest_quarter(-size, counts)]
        cases = [right.on(split) * part for part in quarters]
        if size.min() == size.max():
            continue
        found = UNKNOWN
        if all(part.any() for part in cases):
            parts = [
                (sign, both.on(split) * quarter * counts, part * counts)
                for sign, quarter, part in zip((1, -1), quarters, cases, strict=True)
            ]
            problems = [len(np.unique(whose[part.any(0)])) for part in cases]
            found = of_ratios(parts, whose, right.strata(split)).at_least(*problems)
        enough = min(float(part.sum()) for part in cases) >= FEWEST
        seeds = min(int(part.any(1).sum()) for part in cases)
        yield Measurement(arm, None, split, found, difference, seeds, enough)


def lowest_quarter(size: Floats, counts: Floats) -> Floats:
    """The part of each of n sizes that lies in their lowest quarter, 0 to 1; of equal ones the same.

    counts: (n,) how much each counts; the parts come to a quarter of all.
    """
    _, place = np.unique(size, return_inverse=True)
    of_size = np.bincount(place, counts)
    room = counts.sum() / 4 - np.concatenate([[0], np.cumsum(of_size)[:-1]])
    room[np.isclose(room, 0, atol=1e-9 * counts.sum())] = 0.0  # sums of weights are not exact
    parts: Floats = np.clip(room / of_size, 0.0, 1.0)[place]
    return parts


def _share_before_error() -> pl.Expr:
    """The share of a trace's steps before its first bad one."""
    names = ("trace_strict", "trace_strict_at", "trace_steps")

    def of(columns: Sequence[pl.Series]) -> pl.Series:
        passes, at, steps = (column.fill_null(0).to_numpy() for column in columns)
        return pl.Series(before_error(passes, at, steps))

    return pl.map_batches([pl.col(name) for name in names], of, return_dtype=pl.Float64)


BEFORE = _share_before_error()
