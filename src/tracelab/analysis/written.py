"""Completions read again from a table of outcomes, as rows of traces and solutions.

for frame, own in first_samples(table, task, ["solution_valid"], most=256): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from tracelab.analysis.loading import splits_of
from tracelab.core.codec import Codec
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task

LABELS = ("run", "arm", "seed", "split", "problem_key", "index")


def first_samples(
    table: pl.LazyFrame, task: Task, columns: Sequence[str], most: int, wanted: pl.Expr | None = None
) -> Iterator[tuple[pl.DataFrame, Task]]:
    """The first samples of each run's first `most` problems, a frame per run and test set, with its task.

    wanted: which samples count, None for all. A frame has LABELS, the columns, problem and completion.
    """
    tasks = {getattr(task, "in_distribution", task.name): task, **task.test_sets()}
    first = table.filter(pl.col("sample") == 0).filter(True if wanted is None else wanted)
    for split in splits_of(table):
        mine = first.filter(pl.col("split") == split)
        for run in mine.select(pl.col("run").unique().sort()).collect()["run"]:
            named = mine.filter(pl.col("run") == run).select(*LABELS, *columns, "problem", "completion")
            yield named.sort("index").head(most).collect(), tasks[split]


def examples_of(frame: pl.DataFrame, traces: Ragged, solutions: Ragged) -> Examples:
    """A frame's problems with traces and solutions (rows) as theirs."""
    return Examples(
        frame["index"].to_numpy(),
        frame["problem_key"].to_numpy(),
        Ragged.of([row.to_numpy() for row in frame["problem"]], np.int16),
        traces,
        solutions,
        {},
    )


def tokens_of(frame: pl.DataFrame) -> Iterator[Integers]:
    """A frame's completions."""
    return (row.to_numpy().astype(np.int32) for row in frame["completion"])


def salvaged(codec: Codec, tokens: Integers) -> tuple[Integers, Integers, bool, bool]:
    """-> (a completion's trace rows, its solution's, is there a trace?, was anything of it passed over?)

    Where a trace does not parse, words are passed over up to the next whole step.
    """
    _, solution_open, stop = codec.markers
    ends = np.flatnonzero(tokens == stop)
    body = tokens[: ends[0] if len(ends) else None]
    body = body[codec.before_trace(body) :]
    cut = codec.solution_at(body)
    trace, rest = body[:cut], body[cut + (solution_open != ABSENT) :]
    rows, broken = list[Integers](), False
    while len(trace):
        part, read = codec.decode(codec.trace, trace)
        rows.append(part)
        broken = broken or read < len(trace)
        trace = trace[read + 1 :]
    steps = np.concatenate([np.empty((0, codec.trace_width), np.int32), *rows])
    return steps, codec.decode(codec.solution, rest)[0], cut > 0, broken
