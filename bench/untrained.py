"""Far problems by their words: all are of training problems, or one at least is of none.

    untrained.lines(analysis.load("bench/results/study/countdown"))

A far test set may have problems of both kinds, so that what a model does there is a mean of two things.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from asked import mean_of
from common import markdown
from told import estimate

from tracelab.analysis.cells import FAR, TaskOutcomes
from tracelab.analysis.loading import splits_of
from tracelab.analysis.measures import RIGHT, VALID, between, ranks
from tracelab.analysis.verdicts import difference
from tracelab.analysis.written import examples_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import Task
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.tasks.countdown.draws import HEADER

TRACED, SWAPPED = "correct", "swapped"  # the arms that are compared on what is known


@dataclass(frozen=True)
class Kinds:
    """How a task's problems are told apart. of: (task, problems) -> (n,) is every such word trained?

    what: the words that are asked for; known, new: what problems are called. prompts: has each prompt of a
    test set with new words one of them, whatever the words that are asked for? Then nothing of it is known.
    """

    of: Callable[[Task, pl.DataFrame], Sequence[bool]]
    what: str
    known: str
    new: str
    prompts: bool = False


def numbers_known(task: Task, problems: pl.DataFrame) -> Sequence[bool]:
    """Is each number of a Countdown problem one that training problems have?"""
    low, high = task.number_range  # type: ignore[attr-defined]
    numbers = problems["problem"].list.slice(HEADER)
    return ((numbers.list.min() >= low) & (numbers.list.max() <= high)).to_list()


def path_known(task: Task, problems: pl.DataFrame) -> Sequence[bool]:
    """Is each cell of a maze's reference path one that training mazes have? A cell is one word."""
    others = task.test_sets()
    width, height = task.shape  # type: ignore[attr-defined]
    found = []
    for split, part in problems.with_row_index("row").group_by("split", maintain_order=True):
        own = others.get(str(split[0]), task)
        nothing = Ragged.of([np.zeros(0, np.int32)] * len(part))
        paths = own.solved(examples_of(part, nothing, nothing).problem).solution
        y, x = np.divmod(paths.values[:, 1], own.stride)  # type: ignore[attr-defined]
        inside = Ragged((x < width) & (y < height), paths.offsets)
        found += [(row, bool(cells.all())) for row, cells in zip(part["row"], inside, strict=True)]
    return [known for _, known in sorted(found)]


KINDS = {
    "countdown": Kinds(numbers_known, "its numbers", "all of the training range", "one at least is new"),
    "maze": Kinds(path_known, "its reference path", "in trained cells", "through a new cell", prompts=True),
}


def task_of(table: pl.LazyFrame) -> Task:
    """The task of a table's runs."""
    return build_task(Run.open(table.select("run").first().collect().item()).settings.task)


def known(table: pl.LazyFrame) -> pl.DataFrame:
    """split, index, known: of each problem."""
    task, keys = task_of(table), ("split", "index")
    problems = table.unique([*keys], maintain_order=True).select(*keys, "problem", "problem_key").collect()
    flags = KINDS[task.name].of(task, problems)
    return problems.select(*keys).with_columns(known=pl.Series(flags, dtype=pl.Boolean))


def lines(table: pl.LazyFrame) -> list[str]:
    """Tables for the study's page: right and valid, by test set and kind; what is left of two findings."""
    near, *far = splits_of(table)
    flags, kinds = known(table), KINDS[task_of(table).name]
    told = table.join(flags.lazy(), on=["split", "index"])
    mixed = flags.filter(~pl.col("known"))["split"].unique().to_list()
    rows = []
    for arm in table.select(pl.col("arm").unique().sort()).collect()["arm"]:
        writes = told.filter(arm=arm).select(pl.col("trace_steps").max()).collect().item()
        for split in (split for split in far if split in mixed):
            for words, flag in ((kinds.known, True), (kinds.new, False)):
                part = told.filter(arm=arm, split=split, known=flag)
                problems = part.select(pl.col("index").n_unique()).collect().item()
                valid = mean_of(part, VALID) if writes else "–"
                rows.append([arm, split, words, str(problems), mean_of(part, RIGHT), valid])
    heads = ["arm", "test set", kinds.what, "problems", "right", "strictly valid"]
    return [
        "Right solutions and strictly valid traces, in per cent, where test sets have words that no training "
        f"problem has, by {kinds.what.removeprefix('its ')}:",
        "",
        *markdown(heads, rows),
        *without_new(told, mixed if kinds.prompts else [], near),
    ]


def without_new(told: pl.LazyFrame, dropped: Sequence[str], near: str) -> list[str]:
    """What the two findings that compare near with far come to on known words alone. No verdict.

    dropped: test sets each of whose prompts has a new word.
    """
    outcomes = TaskOutcomes(told.filter("known", ~pl.col("split").is_in(list(dropped))))
    (drop,) = (found for found in ranks(outcomes) if found.split == FAR)
    gain = between(outcomes, SWAPPED, TRACED, RIGHT, difference)
    (more,) = (found for found in gain if found.split == FAR)
    fall, rise = (
        {"value": found.found.value} | dict(zip(("low", "high"), found.found.interval(), strict=True))
        for found in (drop, more)
    )
    which = f"Without {' and '.join(dropped)}" if dropped else "On problems without a new word"
    return [
        f"{which}, the rank correlation of length and complexity of `{TRACED}` is {estimate(fall, True)} "
        f"less far away than in distribution ({near}), and `{SWAPPED}` less `{TRACED}` is {estimate(rise)} "
        "points far away (no verdict).",
        "",
    ]
