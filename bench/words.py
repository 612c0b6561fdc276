"""The word of a step in which a valid trace and its damaged twin differ first, for arithmetic.

    words.named(pairs, outcomes, task)

A kind of damage can hit several words of a step, and what a model knows of each is another thing: which
definition comes next, which number the prompt gives, what two numbers come to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tracelab.analysis.written import examples_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import Task

OPENING, CLOSING, OPERATION = "opening", "end of the trace", "operation"
WORDS = {  # what a step's words are, in their order; those of `let`, and those of an operation
    OPERATION: "which operation it is",
    "name": "which definition it is of",
    "given": "the value of a `let`",
    "left": "the first number of an operation",
    "right": "the second one",
    "result": "what the operation comes to",
    CLOSING: "the word behind the last step",
}
LET = (OPERATION, "name", "given")
SUM = (OPERATION, "name", "left", "right", "result")


def layout(operations: Sequence[int]) -> list[str]:
    """What the words of a trace are, one after the other; operations: of its steps, 0 for a `let`."""
    steps = [LET if operation == 0 else SUM for operation in operations]
    return [OPENING, *(word for step in steps for word in step), CLOSING]


def named(pairs: pl.LazyFrame, outcomes: pl.LazyFrame, task: Task) -> pl.LazyFrame | None:
    """Pairs of traces with `word`: what differs first. None for tasks other than arithmetic.

    outcomes: of the same runs; from them the problems are read.
    """
    if task.name != "arithmetic":
        return None
    keys = ["split", "index"]
    problems = outcomes.unique([*keys], maintain_order=True).select(*keys, "problem", "problem_key").collect()
    nothing = Ragged.of([np.zeros(0, np.int32)] * len(problems))
    solved = task.solved(examples_of(problems, nothing, nothing).problem)
    known = problems.select(
        *keys, pl.Series("words", [layout(trace[:, 0].tolist()) for trace in solved.trace])
    )
    joined = pairs.join(known.lazy(), on=keys, how="left")
    lengths = joined.select(pl.col("words").list.len() == pl.col("valid_tokens")).collect().to_series()
    if not lengths.all():
        raise ValueError("traces of another length than their pairs say: the words of a step are others now")
    return joined.with_columns(pl.col("words").list.get(pl.col("same_before")).alias("word")).drop("words")
