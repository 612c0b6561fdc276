"""How right answers of arithmetic come out of invalid traces: false values, numbers added in other places.

    sums.lines(analysis.load("bench/results/study/arithmetic"))

Of problems whose operations are additions and whose definitions are all needed, the answer is the sum of all
numbers in the prompt, however they are grouped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from tracelab.analysis.loading import splits_of
from tracelab.analysis.provenance import INVALID, MOST
from tracelab.analysis.written import examples_of, first_samples, salvaged, tokens_of
from tracelab.core.ragged import Ragged
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run

LET, ADD = 0, 1
NAME, ONE, OTHER, VALUE = 1, 2, 3, 4  # columns of a step


def regroups(steps: Sequence[Sequence[int]], numbers: Sequence[int], modulus: int) -> bool:
    """Does a trace add up all numbers, each once, whatever it calls them?

    A sum takes two numbers away and puts their sum in their place; at the end one is left. It is the answer,
    where that is the sum of all: so no wrong answer stands behind such a trace.
    """
    pool = Counter(numbers)
    for step in steps:
        taken = Counter([step[VALUE]] if step[0] == LET else [step[ONE], step[OTHER]])
        sound = step[0] == LET or step[VALUE] == (step[ONE] + step[OTHER]) % modulus
        if step[0] not in (LET, ADD) or not sound or taken - pool:
            return False
        pool = pool - taken + Counter([step[VALUE]])
    return pool.total() == 1


def has_false(steps: Sequence[Sequence[int]], truth: Sequence[Sequence[int]]) -> bool:
    """Has a definition before the last another value in a trace than in the reference's?"""
    known = {row[NAME]: row[VALUE] for row in truth[:-1]}
    return any(known.get(step[NAME], step[VALUE]) != step[VALUE] for step in steps)


def read(table: pl.LazyFrame, wanted: pl.Expr | None = INVALID) -> pl.DataFrame:
    """A row per completion: arm, split, right, false, regroups, total.

    total: is the reference answer the sum of all numbers of the prompt? wanted: which completions are read,
    those behind invalid traces if not said otherwise; None: all.
    """
    task = build_task(Run.open(table.select("run").first().collect().item()).settings.task)
    rows = list[dict[str, object]]()
    for frame, own in first_samples(table, task, ("solution_valid",), MOST, wanted):
        nothing = Ragged.of([np.zeros(0, np.int32)] * len(frame))
        solved = own.solved(examples_of(frame, nothing, nothing).problem)
        words, parts = own.codec.vocabulary, (solved.trace, solved.solution, own.prompts(solved))
        for label, said, truth, answer, prompt in zip(
            frame.rows(named=True), tokens_of(frame), *parts, strict=True
        ):
            steps = salvaged(own.codec, said)[0].tolist()
            numbers = [int(words[token]) for token in prompt if words[token].isdigit()]
            found = {
                "false": has_false(steps, truth.tolist()),
                "regroups": regroups(steps, numbers, own.modulus),
            }
            found |= {"right": label["solution_valid"], "total": sum(numbers) % own.modulus == answer[0, -1]}
            rows.append({name: label[name] for name in ("arm", "split")} | found)
    return pl.DataFrame(rows, infer_schema_length=None)


def lines(table: pl.LazyFrame) -> list[str]:
    """A paragraph for the study's page: what the traces of `correct` do, in distribution."""
    mine = read(table.filter(pl.col("arm") == "correct", pl.col("split") == splits_of(table)[0]))
    right, wrong = mine.filter("right"), mine.filter(~pl.col("right"))
    first = table.filter(pl.col("run") == table.select("run").first().collect().item())
    totals = read(first, None).group_by("split", maintain_order=True).agg(pl.col("total").mean())
    shares = "; ".join(f"{split} {100 * share:.1f} %" for split, share in totals.iter_rows())
    return [
        f"Of the {len(right):,} right answers behind invalid traces of `correct`, in distribution, "
        f"{right['false'].sum():,} stand behind a false value of a definition before the last, and "
        f"{right['regroups'].sum():,} behind a trace that adds up all numbers of the prompt, each once, by "
        f"sound sums. Of the {len(wrong):,} wrong answers there, {wrong['false'].sum():,} stand behind a "
        "false value; none can stand behind such sums. Test problems whose answer is the sum of all their "
        f"numbers: {shares}.",
        "",
    ]
