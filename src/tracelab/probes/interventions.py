"""Is the trace used? Impose traces on a trained model and see what it answers.

Behind a prompt and an imposed trace stands the word that opens the solution; the model writes the rest,
greedily. `imposing` has what is imposed.

Sources: Lanham et al. 2023 (arXiv 2307.13702) for early answering, mistakes and filler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.logprobs import sums, teacher_forced
from tracelab.decoding.sampling import generate
from tracelab.models.base import Model
from tracelab.probes.imposing import (
    Imposed,
    check_words,
    interventions,
    right_for,
    solutions,
    trace_and_solution,
)
from tracelab.probes.tested import tested
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling


def intervene(
    model: Model, task: Task, examples: Examples, sampling: Sampling, max_new: int, **doses: Sequence[float]
) -> Iterator[tuple[Imposed, dict[str, NDArray[Any]]]]:
    """Impose, answer, judge: each intervention with its outcomes, arrays of n.

    valid, optimal, reason: of the solution; changed: does it differ from the one behind the model's own
    trace?; follows: is it the one that the imposed trace leads to, where that is another problem's? (null
    where no other problem gave it, and where that one's answer is right here, too, so that it says nothing);
    reference_logprob: log-probability, in nats, that the model gives the reference solution there (teacher
    forced); reference_tokens: of how many tokens; trace_tokens: how long the imposed trace is. ValueError for
    formats without words that open trace and solution, before the model writes anything.
    """
    check_words(task)
    prompts = model.opened(task.prompts(examples))
    options: dict[str, Any] = {"stop": task.codec.stop, "max_new": max_new, "batch_size": sampling.batch_size}
    own = generate(model, prompts, **options)
    before = trace_and_solution(task, own.tokens)[1]
    reference = solutions(task, examples)
    for imposed in interventions(task, examples, own, sampling.seed, **doses):
        whole = prompts.joined(imposed.opening)
        fits = whole.lengths + reference.lengths.max() < model.context
        rows = np.flatnonzero(fits)
        if not len(rows):
            yield imposed, {"row": rows}
            continue
        answers = generate(model, whole.take(rows), **options).tokens
        if imposed.name == "own":  # written where nothing was imposed, too, but for what was cut off
            before = before.replace(rows, answers)
        verdicts = task.judge(examples.take(rows), imposed.opening.take(rows).joined(answers))
        yield (
            imposed,
            {
                "row": rows,
                "valid": verdicts.solution_valid,
                "optimal": verdicts.solution_optimal,
                "reason": np.array(task.reasons)[verdicts.solution_reason],
                "changed": ~_equal(answers, before.take(rows)),
                "follows": _follows(task, examples.take(rows), answers, imposed, rows),
                "reference_logprob": sums(teacher_forced(model, whole.take(rows), reference.take(rows))),
                "reference_tokens": reference.lengths[rows],
                "trace_tokens": imposed.opening.lengths[rows] - 1,
            },
        )


def _follows(
    task: Task, examples: Examples, answers: Ragged, imposed: Imposed, rows: NDArray[np.int64]
) -> pa.Array:
    """Are the answers those of the problems whose traces were imposed? Nulls where there are none, or where
    these are right for the examples themselves.
    """
    if imposed.follows is None:
        return pa.nulls(len(answers), pa.bool_())
    theirs = imposed.follows.take(rows)
    return pa.array(_equal(answers, theirs), mask=right_for(task, examples, theirs))


def _equal(one: Ragged, other: Ragged) -> NDArray[np.bool_]:
    """(n,): are the rows the same?"""
    return np.array([np.array_equal(a, b) for a, b in zip(one, other, strict=True)], np.bool_)


def table(
    model: Model,
    task: Task,
    examples: Examples,
    sampling: Sampling,
    max_new: int,
    labels: dict[str, Any],
    **doses: Any,
) -> pa.Table:
    """All interventions on one test set: a row per problem and intervention. labels: the same in all rows.

    Problems whose prompt and imposed trace are longer than the model's context are left out. ValueError if
    all are.
    """
    parts = []
    for imposed, columns in intervene(model, task, examples, sampling, max_new, **doses):
        rows = columns.pop("row")
        if not len(rows):
            say(f"{imposed.name} is left out: no such trace fits into the model's {model.context} tokens")
            continue
        n = len(rows)
        fixed = {**labels, "intervention": imposed.name, "dose": imposed.dose}
        kinds = {"dose": pa.float64()}
        about = {name: pa.array([value] * n, kinds.get(name)) for name, value in fixed.items()}
        about |= {"index": examples.index[rows], "problem_key": examples.identity[rows]}
        parts.append(pa.table({**about, **columns}))
    if not parts:
        raise ValueError(
            f"nothing can be imposed: no prompt with a trace and a solution fits into {model.context} tokens"
        )
    return pa.concat_tables(parts)


def of_run(
    run: Run, splits: Sequence[str] | None = None, problems: int | None = None, **doses: Any
) -> pa.Table:
    """All interventions on a run's model. splits: test sets (None: the first); problems: of each (None: as
    many as it was evaluated on). ValueError if there is no such test set.
    """
    asked = tested(run, splits, problems)
    return pa.concat_tables(
        table(asked.model, *test, asked.sampling, asked.max_new, {**asked.about, "split": name}, **doses)
        for name, test in asked.tests.items()
    )
