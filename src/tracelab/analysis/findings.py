"""The findings that the study is about, each as measurements with an interval and a verdict.

What is measured, and what outcome counts as what, is said in docs/results/prediction.md, written before the
study ran. This file is that page as code, and keeps its letters.

    found = findings.measurements({"maze": analysis.load("runs/study/maze")})     # a row each
    findings.verdicts(found)                                                      # one per finding and task
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tracelab.analysis.cells import FAR, Cells, TaskOutcomes
from tracelab.analysis.estimates import holm
from tracelab.analysis.measures import (
    BEFORE,
    LEGAL,
    RIGHT,
    VALID,
    Measurement,
    after,
    between,
    ranks,
    share,
    short_less_long,
)
from tracelab.analysis.verdicts import (
    LEARNED,
    LEAST_SEEDS,
    LEAST_TASKS,
    OPEN,
    above,
    all_of,
    below,
    difference,
    no_less,
    not_raised,
    over_tasks,
)
from tracelab.core.stats import known

TASKS = 5  # that the study has
SHARES = ("b", "h", "j2")  # parts that are shares, not differences
SEVERAL = ("d", "g")  # findings with a claim for each start and reward
DECIDING = ("solution_only", "correct")  # arms that say whether a task takes part
MUTE = ("e", "f")  # on which a task may have nothing to say: no expansions, or one reference length
COLUMNS: Mapping[str, type[pl.DataType]] = {
    **dict.fromkeys(("finding", "part", "task"), pl.String),
    "primary": pl.Boolean,
    **dict.fromkeys(("arm", "base", "split"), pl.String),
    **dict.fromkeys(("value", "low", "high", "p"), pl.Float64),
    "seeds": pl.Int64,
    "p_holm": pl.Float64,
    "verdict": pl.String,
}

Measure = Callable[[TaskOutcomes], Iterator[Measurement]]


@dataclass(frozen=True)
class Part:
    """A part of a finding: what is claimed, and what is measured on every test set of a task.

    far: do the far test sets decide, or the one in distribution?
    """

    claim: str
    measure: Measure
    far: bool = False


def measurements(
    tables: Mapping[str, pl.LazyFrame], post_trained: Mapping[str, pl.LazyFrame] | None = None
) -> pl.DataFrame:
    """Every measurement of every finding on every task. tables: task -> its outcomes, as of `analysis.load`.

    post_trained: task -> post-trained runs and those that they went on from, where these are no arms of the
    study, for they are half trained. Then the findings of SEVERAL are of them alone.

    A row each: finding, part, task, primary (does it decide?), arm, base, split ("far": all test sets out of
    distribution together), value, low, high (95 %, for other problems and seeds), p, p_holm (among a part's
    primary measurements, or among its others; both null where the interval decides), seeds, verdict. What
    needs arms that are not there has no row. A share of nothing has nulls, and is open.
    """
    arms = {task: TaskOutcomes(table) for task, table in tables.items()}
    later = arms
    if post_trained is not None:
        later = {task: TaskOutcomes(table) for task, table in post_trained.items() if task in arms}
    found = [
        (_row(name, part, task, measured, outcomes.splits[0]), measured)
        for task in arms
        for name, part in PARTS.items()
        if (outcomes := (later if name[0] in SEVERAL else arms).get(task)) is not None
        for measured in part.measure(outcomes)
    ]
    groups: dict[tuple[object, ...], list[tuple[dict[str, object], Measurement]]] = {}
    for row, measured in found:
        groups.setdefault((row["part"], row["primary"], measured.claim), []).append((row, measured))
    for mine in groups.values():
        corrected = holm(np.array([measured.found.p for _, measured in mine]))
        for (row, measured), p in zip(mine, corrected.tolist(), strict=True):
            settled = measured.enough and measured.seeds >= LEAST_SEEDS
            row["p_holm"] = known(p) if measured.rule.tested else None
            row["verdict"] = measured.rule(measured.found, p) if settled else OPEN
    return pl.DataFrame([row for row, _ in found], COLUMNS)


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
        "value": known(measured.found.value),
        "low": known(low),
        "high": known(high),
        "p": known(measured.found.p) if measured.rule.tested else None,
        "seeds": measured.seeds,
    }


def takes_part(table: pl.LazyFrame) -> bool:
    """Do `solution_only` and `correct` both solve more than LEARNED in distribution, in the median of seeds?

    A task in which they do not is no part of the study. See `can_take_part`.
    """
    outcomes = TaskOutcomes(table)
    cells, near = _deciding(outcomes), outcomes.splits[0]
    return len(cells) == len(DECIDING) and all(
        float(np.median(part.on(near).mean(1))) > LEARNED for part in cells
    )


def can_take_part(table: pl.LazyFrame) -> bool:
    """Have LEAST_SEEDS seeds of `solution_only` and of `correct` run, which say whether a task takes part?"""
    seeds = [len(part.seeds) for part in _deciding(TaskOutcomes(table))]
    return len(seeds) == len(DECIDING) and min(seeds) >= LEAST_SEEDS


def _deciding(outcomes: TaskOutcomes) -> list[Cells]:
    arms = [outcomes.arm(name) for name in DECIDING]
    return [outcomes.cells(arm, RIGHT) for arm in arms if arm is not None]


def verdicts(found: pl.DataFrame, ran: Collection[str] = ()) -> pl.DataFrame:
    """One verdict per finding, task and arm, and per finding on all tasks (task "all"): a row each.

    found: as of `measurements`; ran: tasks that have run and are not there, for they take no part. No verdict
    is given on a finding of which a part is missing. One on all tasks is given when TASKS of them have run,
    on those that can speak of it: a task of MUTE cannot where it has no row. It takes LEAST_TASKS of them,
    and none that has yet to run an arm of it. Each start and reward of a post-training is a claim of its own.
    """
    rows: list[dict[str, str | None]] = []
    tasks = set(found["task"])
    for letter in dict.fromkeys(name[0] for name in PARTS):
        needed = {name for name in PARTS if name[0] == letter}
        mine = found.filter(pl.col("finding") == letter, pl.col("primary"))
        claims: dict[str | None, dict[str, str]] = {}
        for (task, arm), part in mine.group_by("task", "arm", maintain_order=True):
            if needed <= {*part["part"]}:
                verdict = all_of(part["verdict"].to_list())
                claims.setdefault(str(arm) if letter in SEVERAL else None, {})[str(task)] = verdict
                rows.append({"finding": letter, "task": str(task), "arm": str(arm), "verdict": verdict})
        for arm, each in claims.items():
            whole = letter in MUTE or tasks == {*each}
            if whole and len(tasks | {*ran}) >= TASKS and len(each) >= LEAST_TASKS:
                told = over_tasks([*each.values()])
                rows.append({"finding": letter, "task": "all", "arm": arm, "verdict": told})
    return pl.DataFrame(rows, schema=dict.fromkeys(("finding", "task", "arm", "verdict"), pl.String))


def _swapped(outcomes: TaskOutcomes) -> str | None:
    return outcomes.arm("swapped", match="none")


def _damaged(outcomes: TaskOutcomes, rate: float) -> str | None:
    return outcomes.arm("corrupted", rate=rate)


def _tenth(outcomes: TaskOutcomes) -> str | None:
    return outcomes.arm("shuffled", share=0.1)


# Parts by their finding's letter, and a number where there are several.
PARTS: Mapping[str, Part] = {
    "a": Part(
        "correct traces help: more right solutions than without traces",
        lambda o: between(o, o.arm("correct"), o.arm("solution_only"), RIGHT, difference),
    ),
    "b": Part(
        "right solutions stand behind invalid traces",
        lambda o: share(o, o.arm("correct"), ~VALID, RIGHT, above(0.1)),
        far=True,
    ),
    "c1": Part(
        "swapped traces cost less than 10 points",
        lambda o: between(o, _swapped(o), o.arm("correct"), RIGHT, no_less),
    ),
    "c2": Part(
        "far away, swapped traces do better",
        lambda o: between(o, _swapped(o), o.arm("correct"), RIGHT, difference),
        far=True,
    ),
    "d1": Part("post-training raises accuracy", lambda o: after(o, RIGHT, difference)),
    "d2": Part("post-training does not raise validity", lambda o: after(o, VALID, not_raised)),
    "e": Part("length follows complexity less far away", ranks, far=True),
    "f": Part("validity falls with length", short_less_long),
    "g": Part("post-training makes traces more coherent", lambda o: after(o, BEFORE, difference)),
    "h": Part(
        "a valid trace is no reliable sign of a right solution",
        lambda o: share(o, o.arm("correct"), RIGHT, LEGAL, below(0.9)),
    ),
    "i1": Part(
        "a little damage costs less than 10 points",
        lambda o: between(o, _damaged(o, 0.1), o.arm("correct"), RIGHT, no_less),
    ),
    "i2": Part(
        "more damage costs more", lambda o: between(o, _damaged(o, 0.1), _damaged(o, 1.0), RIGHT, difference)
    ),
    "j1": Part(
        "a shuffled first tenth costs less than 10 points",
        lambda o: between(o, _tenth(o), o.arm("correct"), RIGHT, no_less),
    ),
    "j2": Part(
        "a shuffled first tenth leaves no valid trace",
        lambda o: share(o, _tenth(o), VALID, pl.lit(True), below(0.01)),
    ),
}
