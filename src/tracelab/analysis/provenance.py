"""Where right answers behind invalid traces come from: used errors, errors undone, or no use of the trace.

    rows = provenance.classified(analysis.load("runs/study"), task)      # a row per such completion
    provenance.shares_of(rows)                                           # a row per arm and test set

The classes exclude each other, and each such completion is of one (`core.types.Task.provenance`):

    rebuilt   the solution is not to be had from the trace, even if each step is taken at its word: if it is
              not guessed, it is made from the prompt alone
    led       it is to be had only so: steps that are wrong lead to it, and it is right all the same
    undone    right steps alone give it, and one that it needs says again what a wrong step said before
    unused    right steps alone give it; the wrong ones stand beside them
    legal     no step is wrong: the trace is not what the solver does (order, omissions, steps too many)

An answer that wrong steps lead to may be right by luck; because the errors do not touch it (a wrong order);
or because the trace was made to fit what the model knew. By luck it is right as often as a guess. How often
it is says `led_right`, of tasks in which wrong answers can be led as right ones can (`literal`).

    provenance.led_right(provenance.led(analysis.load("runs/study"), task))

The question is that of *Correct Answers, Invalid Traces* (arXiv 2609.38107).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tracelab.analysis.estimates import shares, with_seeds
from tracelab.analysis.written import LABELS, examples_of, first_samples, salvaged, tokens_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import PROVENANCES, Task

MOST = 512  # such completions of a run and test set that are read
INVALID = ~pl.col("trace_strict")
SUCH = pl.col("solution_valid") & INVALID


def classified(table: pl.LazyFrame, task: Task, most: int = MOST) -> pl.DataFrame:
    """The first samples with a right answer behind a trace that is not strictly valid, a row each.

    task, grammar: its name and its traces' family; provenance: one of PROVENANCES. A completion without a
    trace is left out. ValueError if the task cannot say.
    """
    return _classified(table, task, most, SUCH).drop("solution_valid")


def is_literal(task: Task) -> bool:
    """Does the task say of wrong answers, too, that wrong steps lead to them? Then `led` takes it."""
    return hasattr(task, "provenance") and bool(getattr(task, "literal", False))


def led(table: pl.LazyFrame, task: Task, most: int = MOST) -> pl.DataFrame:
    """Completions whose answer, right or wrong, only wrong steps lead to: a row each.

    The column solution_valid says which are right; the others are those of `classified`. Only first samples
    that were not cut off count, and of a run and test set the first `most` behind invalid traces. ValueError
    if the task cannot say, or says so of right answers alone.
    """
    if not is_literal(task):
        raise ValueError(
            f"task {task.name}: only right answers are said to be led there, so none that is led is wrong"
        )
    rows = _classified(table, task, most, INVALID & ~pl.col("truncated"))
    return rows.filter(pl.col("provenance") == "led").drop("provenance")


def led_right(rows: pl.DataFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """How often an answer that wrong steps lead to is right, in each group of what `led` gives.

    value, low, high (95 %, for other problems); n; seeds.
    """
    found = shares(rows.lazy(), by, {"value": pl.col("solution_valid")})
    names = {"value_low": "low", "value_high": "high", "value_n": "n"}
    return with_seeds(found.rename(names), rows.lazy(), by)


def _classified(table: pl.LazyFrame, task: Task, most: int, such: pl.Expr) -> pl.DataFrame:
    if not hasattr(task, "provenance"):
        raise ValueError(
            f"task {task.name} has no `provenance`: it does not say where its solutions come from"
        )
    family: Any = task
    named = {"task": pl.lit(task.name), "grammar": pl.lit(family.grammar), "provenance": pl.lit("")}
    kept = [*LABELS, "solution_valid"]
    parts = [table.select(kept).limit(0).with_columns(**named).collect()]
    for frame, own in first_samples(table, task, ("solution_valid",), most, such):
        parts.append(frame.select(kept).with_columns(**named | {"provenance": _classes(frame, own)}))
    return pl.concat(parts).filter(pl.col("provenance").is_not_null())


def _classes(frame: pl.DataFrame, task: Task) -> pl.Series:
    """Each completion's class; null where there is no trace."""
    read = [salvaged(task.codec, tokens) for tokens in tokens_of(frame)]
    traces = Ragged.stack([trace for trace, *_ in read], task.codec.trace_width)
    solutions = Ragged.stack([solution for _, solution, *_ in read], task.codec.solution_width)
    offers: Any = task
    codes = offers.provenance(examples_of(frame, traces, solutions), traces, solutions)
    broken, legal = np.array([parts[3] for parts in read], np.bool_), PROVENANCES.index("legal")
    codes[(codes == legal) & broken] = PROVENANCES.index("unused")  # what does not parse is wrong
    there = [parts[2] for parts in read]
    names = [PROVENANCES[code] if has else None for code, has in zip(codes, there, strict=True)]
    return pl.Series(names, dtype=pl.String)


def shares_of(rows: pl.DataFrame, by: Sequence[str] = ("arm", "split")) -> pl.DataFrame:
    """The share of each of PROVENANCES in each group of what `classified` gives: they add up to 1.

    Each with _low and _high (95 %, for other problems); n; seeds. Concatenate several tasks' rows for
    by=("grammar", "arm").
    """
    flags = {name: pl.col("provenance") == name for name in PROVENANCES}
    found = shares(rows.lazy(), by, flags).rename({f"{PROVENANCES[0]}_n": "n"})
    return with_seeds(found.drop(f"{name}_n" for name in PROVENANCES[1:]), rows.lazy(), by)
