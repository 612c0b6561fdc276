"""How much of a trace its solution needs, and what comes of steps after the answer is settled.

    steps = minimality.steps(analysis.load("runs/study"), task)      # a row per completion
    minimality.minimal(steps)                                        # a row per arm and test set

What a solution needs of a trace the task's grammar says (`core.types.Task.needed`): of a best-first search a
creation and a closing of each state on the path, of a backtracking one the steps whose values stand at the
end, of a derivation the first step to each statement of the proof. A trace may be invalid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.estimates import as_columns, shares, with_seeds
from tracelab.analysis.written import LABELS, examples_of, first_samples, tokens_of
from tracelab.core.ragged import Ragged
from tracelab.core.stats import share
from tracelab.core.types import Task

MOST = 256  # completions of a run and test set that are read: each is cut into steps
AFTER, NONE = "accuracy_after", "accuracy_none"


def steps(table: pl.LazyFrame, task: Task, most: int = MOST) -> pl.DataFrame:
    """The first samples of each run's first `most` problems, a row each, of those with a trace.

    steps: of the trace, as far as it parses; needed: how many of them the completion's solution needs; after:
    how many come after the answer is settled, null where it never is. ValueError if the task cannot say.
    """
    if not hasattr(task, "needed"):
        raise ValueError(f"task {task.name} has no `needed`: it does not say what solutions need of traces")
    frames = first_samples(table, task, ["solution_valid"], most)
    return pl.concat(_counted(frame, own) for frame, own in frames).filter(pl.col("steps") > 0)


def _counted(frame: pl.DataFrame, task: Task) -> pl.DataFrame:
    """Outcomes of one test set with what `steps` counts."""
    rows = [task.codec.read_completion(tokens) for tokens in tokens_of(frame)]
    traces = Ragged.stack([trace for trace, _ in rows], task.codec.trace_width)
    solutions = Ragged.stack([solution for _, solution in rows], task.codec.solution_width)
    offers: Any = task
    flags, settled = offers.needed(examples_of(frame, traces, solutions), traces, solutions)
    counts = np.diff(np.concatenate([[0], np.cumsum(flags.values)])[flags.offsets])
    after = pl.Series("after", traces.lengths - settled).set(pl.Series(settled < 0), None)
    return frame.select(*LABELS, "solution_valid", steps=traces.lengths, needed=counts, after=after)


def minimal(counted: pl.DataFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """How minimal traces are, and how right answers are that steps follow, a row per group.

    needed: the share of the steps that the solution needs, behind right solutions (n of them); after: the
    share of completions with steps after the answer is settled (where it never is, there are none);
    accuracy_after, accuracy_none: that of the completions with such steps, and of those that are settled by
    their last step. Each with _low and _high
    (95 %, for other problems), null where there is none; n_after, n_none: of these; seeds.
    """
    valid, after = pl.col("solution_valid"), pl.col("after")
    flags = {
        "after": (after > 0).fill_null(False),
        AFTER: pl.when(after > 0).then(valid),
        NONE: pl.when(after == 0).then(valid),
    }
    known = shares(counted.lazy(), by, flags).drop("after_n")
    rows = []
    for key, part in counted.filter(valid).group_by(list(by), maintain_order=True):
        ends = share(*(part[name].to_numpy() for name in ("needed", "problem_key", "steps")))
        rows.append(dict(zip(by, key, strict=True)) | as_columns("needed", ends) | {"n": part.height})
    numbers = dict.fromkeys(("needed", "needed_low", "needed_high"), pl.Float64)
    right = pl.DataFrame(rows, {**{name: counted.schema[name] for name in by}, **numbers, "n": pl.Int64})
    names = {f"{AFTER}_n": "n_after", f"{NONE}_n": "n_none"}
    found = known.join(right, on=list(by), how="left", nulls_equal=True, maintain_order="left").rename(names)
    return with_seeds(found, counted.lazy(), by)
