"""What the study's models do behind other traces than their own, arm by arm: tables for `bench/findings.py`.

From what `tracelab.intervene`, `reask` and `assess` have written beside the runs. Shares are of the test set
in distribution, means of seeds, with intervals for other seeds and other problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import polars as pl
import words
from common import markdown

from tracelab import analysis
from tracelab.analysis.assessment import likelier_at_first, load_assessment
from tracelab.analysis.interventions import load_interventions
from tracelab.analysis.reasking import load_reasked
from tracelab.analysis.variance import by_problem, spread
from tracelab.core.types import Task
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.traces._damage import KINDS

Cell = Callable[[pl.LazyFrame], str]  # an arm's rows -> what a column says of them
RATE = 0.1  # of damage
LEAST = 2  # problems, of which one can say how far they vary
IMPOSED = {  # column -> what was imposed, and what is counted
    "own": ("own", "valid"),
    "none": ("none", "valid"),
    "filler": ("filler", "valid"),
    "the reference": ("correct", "valid"),
    "another problem's: right": ("swapped", "valid"),
    "another problem's: that one's answer": ("swapped", "follows"),
}
GAPS = {  # column -> what was imposed; its right answers are held against those behind the model's own trace
    "the reference less own": "correct",
    "another problem's less own": "swapped",
}
DAMAGED = {  # column -> what was imposed, and its dose
    "whole": ("correct", None),
    **{f"{rate} damaged": ("corrupted", rate) for rate in (0.1, 0.5, 1.0)},
    "shuffled": ("shuffled", None),
}
ASKED = {  # column -> behind which trace, and which question the answer fits
    "no trace: second": ("none", "second"),
    "own: second": ("own", "second"),
    "own, written for the second: second": ("fresh", "second"),
    "own: first": ("own", "first"),
    "reference: second": ("reference", "second"),
    "reference: first": ("reference", "first"),
}


def mean_of(table: pl.LazyFrame, value: pl.Expr, least: float = 0) -> str:
    """An arm's share on the problems that all its seeds have: `12.3 [4.5, 20.1]`, in per cent; – if none.

    least: the smallest value that there can be; the largest is 1.
    """
    rows = table.select("seed", "index", "problem_key", value.cast(pl.Float64).alias("value"))
    wide = rows.drop_nulls().collect().pivot(on="seed", index=["index", "problem_key"], values="value")
    wide = wide.drop_nulls()
    problems = wide["problem_key"].n_unique()
    if problems < LEAST:
        return "–"
    cells = by_problem(wide.drop("index", "problem_key").to_numpy().T, wide["problem_key"].to_numpy())
    found = spread([cells], [1]).at_least(problems)
    low, high = found.interval()
    return f"{100 * found.value:.1f} [{100 * max(low, least):.1f}, {100 * min(high, 1):.1f}]"


def share(where: pl.Expr, value: pl.Expr) -> Cell:
    """A column that has `mean_of` some rows."""
    return lambda table: mean_of(table.filter(where), value)


def gap(table: pl.LazyFrame, imposed: str) -> str:
    """Right answers behind a trace that is imposed less those behind the own one, of the same problems, in
    points.
    """
    keys = ["seed", "index", "problem_key"]
    one, own = (
        table.filter(intervention=name).select(*keys, pl.col("valid").cast(pl.Float64).alias(name))
        for name in (imposed, "own")
    )
    return mean_of(one.join(own, on=keys), pl.col(imposed) - pl.col("own"), -1)


def imposed_table(data: Path, split: str) -> list[str]:
    """Right answers, and those that the trace leads to, behind traces that were imposed."""
    table = load_interventions(data).filter(pl.col("split") == split, pl.col("dose").is_null())
    columns: dict[str, Cell] = {
        head: share(pl.col("intervention") == name, pl.col(flag)) for head, (name, flag) in IMPOSED.items()
    }
    return by_arm(table, columns | {head: partial(gap, imposed=name) for head, name in GAPS.items()})


def damaged_table(data: Path, split: str) -> list[str]:
    """Right answers behind the reference's trace, whole, damaged, and with its steps in another order."""
    table = load_interventions(data).filter(pl.col("split") == split)
    chosen = {
        head: (pl.col("intervention") == name) & pl.col("dose").eq_missing(pl.lit(dose, pl.Float64))
        for head, (name, dose) in DAMAGED.items()
    }
    return by_arm(table, {head: share(where, pl.col("valid")) for head, where in chosen.items()})


def asked_table(data: Path, split: str) -> list[str]:
    """Which question the answers fit, when a second is asked of the same problem behind the first's trace."""
    table = load_reasked(data).filter(pl.col("split") == split)
    return by_arm(
        table, {head: share(pl.col("behind") == name, pl.col(flag)) for head, (name, flag) in ASKED.items()}
    )


def assessed_table(data: Path, split: str) -> list[str]:
    """How often the valid trace is likelier than its damaged twin, at the first token that differs, where the
    twin's step is wrong already; each kind with the columns of a step that it damages, and how many pairs.
    """
    table = assessed(data, split)
    task = task_of(data)
    pairs = dict(
        table.filter(likelier_at_first().is_not_null())
        .group_by("kind")
        .agg(pl.struct("index").n_unique())
        .collect()
        .iter_rows()
    )
    heads = {kind: f"{damaged(task, kind)} ({pairs[kind]})" for kind in KINDS if kind in pairs}
    return by_arm(
        table, {head: share(pl.col("kind") == kind, likelier_at_first()) for kind, head in heads.items()}
    )


def word_table(data: Path, split: str) -> list[str]:
    """The same by the word of a step that differs first, of kinds that change names and numbers. No lines
    for a task whose steps `words` does not know.
    """
    pairs = assessed(data, split).filter(pl.col("kind").is_in(["state", "cost"]))
    table = words.named(pairs, analysis.load(data), task_of(data))
    if table is None:
        return []
    known = table.filter(likelier_at_first().is_not_null()).group_by("word").len().collect()
    heads = sorted(known["word"].to_list(), key=list(words.WORDS).index)
    return by_arm(table, {head: share(pl.col("word") == head, likelier_at_first()) for head in heads})


def assessed(data: Path, split: str) -> pl.LazyFrame:
    """The pairs of a test set whose twins are damaged at the lowest rate."""
    return load_assessment(data).filter(pl.col("split") == split, pl.col("rate") == RATE)


def task_of(data: Path) -> Task:
    """The task of the runs in a folder."""
    return build_task(Run.open(analysis.runs(data)["run"][0]).settings.task)


def damaged(task: Task, kind: str) -> str:
    """A kind of damage, with the columns of a step that it changes: "cost: left, right, value"."""
    names = ", ".join(column.name for column in task.columns if column.role == kind != "op")
    return f"{kind}: {names}" if names else kind


def by_arm(table: pl.LazyFrame, columns: Mapping[str, Cell]) -> list[str]:
    """A row per arm. columns: head -> what it says of an arm's rows."""
    rows = []
    for (arm,), part in table.collect().group_by("arm", maintain_order=False):
        problems, seeds = part["problem_key"].n_unique(), part["seed"].n_unique()
        rows.append([arm, str(seeds), f"{problems:,}", *(cell(part.lazy()) for cell in columns.values())])
    return markdown(["arm", "seeds", "problems", *columns], sorted(rows))


TABLES: list[tuple[str, str, Callable[[Path, str], list[str]]]] = [  # a probe's file, about it, its table
    (
        "interventions.parquet",
        "Right answers in per cent behind traces that are imposed; behind another problem's trace, answers "
        "that are that problem's; and differences of right answers, problem by problem, in points:",
        imposed_table,
    ),
    (
        "interventions.parquet",
        "Right answers in per cent behind the problem's own reference trace, whole, damaged as `corrupted` "
        "is at a share of its places, and with its steps shuffled:",
        damaged_table,
    ),
    (
        "reasked.parquet",
        "A second question is asked of the same problem, behind the trace of the first; which of the two the "
        "answer fits, in per cent:",
        asked_table,
    ),
    (
        "assessment.parquet",
        "How often a valid trace is likelier than one with a damaged step, at the first token that differs, "
        "by kind of damage, in per cent of pairs whose damaged step is wrong there already (how many):",
        assessed_table,
    ),
    (
        "assessment.parquet",
        "The same pairs, by the word of a step that differs first:",
        word_table,
    ),
]


def lines(data: Path, split: str) -> list[str]:
    """The tables of a task and a test set, of the probes that have asked its finished runs."""
    runs, text = analysis.runs(data)["run"], []
    for file, about, table in TABLES:
        if any((Path(run) / file).is_file() for run in runs) and (rows := table(data, split))[2:-1]:
            text += [about, "", *rows]
    return text
