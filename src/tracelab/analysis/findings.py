"""The findings that the study is about, each as measurements with an interval and a verdict.

What is measured, and what outcome counts as what, is said in docs/results/prediction.md, written before the
study ran. This file is that page as code, and keeps its letters.

    found = findings.measurements({"maze": analysis.load("runs/study/maze")})     # a row each
    findings.verdicts(found)                                                      # one per finding and task
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelab.analysis.cells import FAR, TaskOutcomes, drop_of_ranks, ratio
from tracelab.analysis.estimates import holm
from tracelab.analysis.variance import Spread, gap, spread
from tracelab.analysis.verdicts import (
    LEAST_SEEDS,
    OPEN,
    RANK_MARGIN,
    Rule,
    above,
    all_of,
    below,
    difference,
    difference_of,
    no_less,
    not_raised,
    over_tasks,
)
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


Measure = Callable[[TaskOutcomes], Iterator[Measurement]]


@dataclass(frozen=True)
class Part:
    """A part of a finding: what is claimed, and what is measured on every test set of a task.

    far: do the far test sets decide, or the one in distribution?
    """

    claim: str
    measure: Measure
    far: bool = False


def measurements(tables: Mapping[str, pl.LazyFrame]) -> pl.DataFrame:
    """Every measurement of every finding on every task. tables: task -> its outcomes, as of `analysis.load`.

    A row each: finding, part, task, primary (does it decide?), arm, base, split ("far": all test sets out of
    distribution together), value, low, high (95 %, for other problems and seeds), p, p_holm (among a part's
    primary measurements, or among its others), seeds, verdict. What needs arms that are not there has no row.
    """
    found = [
        (_row(name, part, task, measured, outcomes.splits[0]), measured)
        for task, outcomes in ((task, TaskOutcomes(table)) for task, table in tables.items())
        for name, part in PARTS.items()
        for measured in part.measure(outcomes)
    ]
    for group in {(row["part"], row["primary"]) for row, _ in found}:
        mine = [(row, measured) for row, measured in found if (row["part"], row["primary"]) == group]
        corrected = holm(np.array([measured.found.p for _, measured in mine]))
        for (row, measured), p in zip(mine, corrected.tolist(), strict=True):
            settled = measured.enough and measured.seeds >= LEAST_SEEDS
            row["p_holm"], row["verdict"] = p, measured.rule(measured.found, p) if settled else OPEN
    return pl.DataFrame([row for row, _ in found], infer_schema_length=None)


def _row(name: str, part: Part, task: str, measured: Measurement, near: str) -> dict[str, object]:
    """A row of `measurements`, but for what depends on the others. near: the test set in distribution."""
    low, high = measured.found.interval()
    return {
        "finding": name[0],
        "part": name,
        "task": task,
        "primary": measured.split == (FAR if part.far else near),
        "arm": measured.arm,
        "base": measured.base,
        "split": measured.split,
        "value": measured.found.value,
        "low": low,
        "high": high,
        "p": measured.found.p,
        "seeds": measured.seeds,
    }


def verdicts(found: pl.DataFrame) -> pl.DataFrame:
    """One verdict per finding, task and arm, and per finding on all of them (task "all"): a row each.

    found: as of `measurements`. No verdict is given on a finding of which a part is missing.
    """
    rows: list[dict[str, str | None]] = []
    for letter in dict.fromkeys(name[0] for name in PARTS):
        needed = {name for name in PARTS if name[0] == letter}
        mine = found.filter(pl.col("finding") == letter, pl.col("primary"))
        each = []
        for (task, arm), part in mine.group_by("task", "arm", maintain_order=True):
            if needed <= {*part["part"]}:
                each.append(all_of(part["verdict"].to_list()))
                rows.append({"finding": letter, "task": str(task), "arm": str(arm), "verdict": each[-1]})
        if each:
            rows.append({"finding": letter, "task": "all", "arm": None, "verdict": over_tasks(each)})
    return pl.DataFrame(rows, schema=dict.fromkeys(("finding", "task", "arm", "verdict"), pl.String))


# --- what the parts measure ------------------------------------------------------------------------------


def _between(
    outcomes: TaskOutcomes, arm: str | None, base: str | None, value: pl.Expr, rule: Rule
) -> Iterator[Measurement]:
    """An arm less another, whose seeds have nothing to do with each other; none if either is missing."""
    if arm is None or base is None:
        return
    one, other = outcomes.cells(arm, value), outcomes.cells(base, value)
    for split in one.splits:
        found = spread((one.on(split), other.on(split)), (1, -1)).at_least(one.on(split).shape[1])
        yield Measurement(arm, base, split, found, rule, min(len(one.seeds), len(other.seeds)))


def _after(outcomes: TaskOutcomes, value: pl.Expr, rule: Rule) -> Iterator[Measurement]:
    """Post-trained runs less those that they began from, seed by seed."""
    for arm, base in outcomes.post_trained():
        after, before = outcomes.cells(arm, value), outcomes.cells(base, value)
        seeds = [seed for seed in after.seeds if seed in before.seeds]
        if seeds:
            after, before = after.only(seeds), before.only(seeds)
            for split in after.splits:
                gain = after.on(split) - before.on(split)
                found = spread([gain], [1]).at_least(gain.shape[1])
                yield Measurement(arm, base, split, found, rule, len(seeds))


def _share(
    outcomes: TaskOutcomes, arm: str | None, of: pl.Expr, among: pl.Expr, rule: Rule
) -> Iterator[Measurement]:
    """The share of completions with `of` among an arm's completions with `among`."""
    if arm is None:
        return
    both, all_ = outcomes.cells(arm, of & among), outcomes.cells(arm, among)
    for split in all_.splits:
        cases = all_.on(split)
        if cases.any():
            found = spread([ratio(both.on(split), cases)], [1]).at_least(int(cases.any(0).sum()))
            yield Measurement(arm, None, split, found, rule, len(all_.seeds), float(cases.sum()) >= FEWEST)


def _ranks(outcomes: TaskOutcomes) -> Iterator[Measurement]:
    """The rank correlation of length and complexity in distribution, less that on the far test sets."""
    arm = outcomes.arm("correct")
    if arm is None or "expansions" not in outcomes.table.collect_schema().names():
        return
    length = pl.when(pl.col("truncated")).then(float("inf")).otherwise(pl.col("completion_tokens"))
    lengths, sizes = outcomes.cells(arm, length), outcomes.cells(arm, pl.col("expansions"))
    near, *others = ((sizes.of[split][0], lengths.of[split]) for split in lengths.of)
    for split in lengths.splits[1:]:
        far = others if split == FAR else [others[list(lengths.of).index(split) - 1]]
        found = drop_of_ranks(near, far)
        yield Measurement(arm, None, split, found, difference_of(RANK_MARGIN), len(lengths.seeds))


def _short_less_long(outcomes: TaskOutcomes) -> Iterator[Measurement]:
    """Validity behind right solutions: the quarter of shortest reference traces less that of the longest."""
    arm = outcomes.arm("correct")
    if arm is None:
        return
    both, right = outcomes.cells(arm, VALID & RIGHT), outcomes.cells(arm, RIGHT)
    steps = outcomes.cells(arm, pl.col("reference_steps"))
    for split in right.splits:
        size = steps.on(split)[0]
        ends = size <= np.quantile(size, 0.25), size >= np.quantile(size, 0.75)
        cases = [right.on(split)[:, chosen] for chosen in ends]
        if all(part.any() for part in cases):
            shares = [ratio(both.on(split)[:, c], part) for c, part in zip(ends, cases, strict=True)]
            found = gap((shares[0], shares[1])).at_least(min(int(part.any(0).sum()) for part in cases))
            enough = min(float(part.sum()) for part in cases) >= FEWEST
            yield Measurement(arm, None, split, found, difference, len(right.seeds), enough)


def _share_before_error() -> pl.Expr:
    """The share of a trace's steps before its first bad one."""
    names = ("trace_strict", "trace_strict_at", "trace_steps")

    def of(columns: Sequence[pl.Series]) -> pl.Series:
        passes, at, steps = (column.fill_null(0).to_numpy() for column in columns)
        return pl.Series(before_error(passes, at, steps))

    return pl.map_batches([pl.col(name) for name in names], of, return_dtype=pl.Float64)


def _swapped(outcomes: TaskOutcomes) -> str | None:
    return outcomes.arm("swapped", match="none")


def _damaged(outcomes: TaskOutcomes, rate: float) -> str | None:
    return outcomes.arm("corrupted", rate=rate)


def _tenth(outcomes: TaskOutcomes) -> str | None:
    return outcomes.arm("shuffled", share=0.1)


BEFORE = _share_before_error()
# Parts by their finding's letter, and a number where there are several.
PARTS: Mapping[str, Part] = {
    "a": Part(
        "correct traces help: more right solutions than without traces",
        lambda o: _between(o, o.arm("correct"), o.arm("solution_only"), RIGHT, difference),
    ),
    "b": Part(
        "right solutions stand behind invalid traces",
        lambda o: _share(o, o.arm("correct"), ~VALID, RIGHT, above(0.1)),
        far=True,
    ),
    "c1": Part(
        "swapped traces do no worse",
        lambda o: _between(o, _swapped(o), o.arm("correct"), RIGHT, no_less),
    ),
    "c2": Part(
        "far away, swapped traces do better",
        lambda o: _between(o, _swapped(o), o.arm("correct"), RIGHT, difference),
        far=True,
    ),
    "d1": Part("post-training raises accuracy", lambda o: _after(o, RIGHT, difference)),
    "d2": Part("post-training does not raise validity", lambda o: _after(o, VALID, not_raised)),
    "e": Part("length follows complexity less far away", _ranks, far=True),
    "f": Part("validity falls with length", _short_less_long),
    "g": Part("post-training makes traces more coherent", lambda o: _after(o, BEFORE, difference)),
    "h": Part(
        "a valid trace is no reliable sign of a right solution",
        lambda o: _share(o, o.arm("correct"), RIGHT, LEGAL, below(0.9)),
    ),
    "i1": Part(
        "a little damage does no harm",
        lambda o: _between(o, _damaged(o, 0.1), o.arm("correct"), RIGHT, no_less),
    ),
    "i2": Part(
        "more damage does", lambda o: _between(o, _damaged(o, 0.1), _damaged(o, 1.0), RIGHT, difference)
    ),
    "j1": Part(
        "a shuffled first tenth does no harm",
        lambda o: _between(o, _tenth(o), o.arm("correct"), RIGHT, no_less),
    ),
    "j2": Part(
        "a shuffled first tenth leaves no valid trace",
        lambda o: _share(o, _tenth(o), VALID, pl.lit(True), below(0.01)),
    ),
}
