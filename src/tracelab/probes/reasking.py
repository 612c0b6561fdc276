"""A second question about the same problem, behind the trace for the first: which of them is answered?

A problem gets another goal, or another value or conclusion is asked for (`Task.ask_again`); nothing else in
its prompt changes. The model then answers behind

    first       its own trace, with the first question: what is to be compared with
    fresh       a trace of its own for the second question: the control
    own         the trace that it wrote for the first question, behind the second
    reference   the reference trace of the first question, behind the second
    none        no trace, with the second question

Each answer fits the second question, the first or neither; pairs whose reference answers fit both are left
out. A model that reads its trace can answer the second question where the trace settles it, too.

    python -m tracelab.reask run=runs/...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.sampling import generate
from tracelab.models.base import Model
from tracelab.probes.imposing import check_words, opening, right_for, solutions, trace_and_solution
from tracelab.probes.tested import tested
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.traces.base import reference

# prompts and what is imposed behind them (tokens) -> rows that fit into the context, and what completes them
Complete = Callable[[Ragged, Ragged], tuple[NDArray[np.int64], Ragged]]


class Pairs(NamedTuple):
    """Problems with their first question, the same with a second, and how many have no such pair."""

    first: Examples
    second: Examples
    left_out: int


def pairs_of(task: Any, examples: Examples, seed: int) -> Pairs:
    """Each problem with a second question, whose answer is none to the first. ValueError if there is none."""
    if not (hasattr(task, "ask_again") and hasattr(task, "needed")):
        raise ValueError(f"task {task.name} has no `ask_again` and `needed`: it cannot ask a second question")
    second = task.ask_again(examples, rng.keys(seed, "test", 0, len(examples), "question"))
    first = examples.take(np.flatnonzero(np.isin(examples.index, second.index)))
    answers = solutions(task, first), solutions(task, second)
    rows = np.flatnonzero(~right_for(task, first, answers[1]) & ~right_for(task, second, answers[0]))
    if not len(rows):
        raise ValueError("no problem has a second question with another answer: take more, with problems")
    return Pairs(first.take(rows), second.take(rows), len(examples) - len(rows))


def completing(model: Model, **options: Any) -> Complete:
    """A model's completions, greedy. options: of `decoding.sampling.generate`."""

    def complete(prompts: Ragged, imposed: Ragged) -> tuple[NDArray[np.int64], Ragged]:
        whole = model.opened(prompts).joined(imposed)
        rows = np.flatnonzero(whole.lengths < model.context)
        return rows, generate(model, whole.take(rows), **options).tokens if len(rows) else Ragged.of([])

    return complete


def reask(complete: Complete, task: Any, pairs: Pairs) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """What is written behind each trace, arrays of as many as fit into the context.

    row: the pair's place; second, first: is the answer right for that question?; held: does the trace settle
    the second question: a search that meets its goal, a derivation that says what it asks?; trace_tokens.
    """
    check_words(task)
    asked = {"first": task.prompts(pairs.first), "second": task.prompts(pairs.second)}
    nothing = Ragged.of([[]] * len(pairs.first))
    rows, tokens = complete(asked["first"], nothing)
    yield "first", _judged(task, pairs, rows, tokens)
    own = nothing.replace(rows, trace_and_solution(task, tokens)[0])
    yield "fresh", _judged(task, pairs, *complete(asked["second"], nothing))
    imposed = {
        "own": opening(task, own, always=False),
        "reference": opening(task, reference(task, pairs.first)),
        "none": opening(task, nothing, always=False),
    }
    for name, trace in imposed.items():
        rows, answers = complete(asked["second"], trace)
        yield name, _judged(task, pairs, rows, trace.take(rows).joined(answers))


def _judged(task: Any, pairs: Pairs, rows: NDArray[np.int64], tokens: Ragged) -> dict[str, NDArray[Any]]:
    """Verdicts on whole completions of the pairs in these rows."""
    first, second = pairs.first.take(rows), pairs.second.take(rows)
    traces = [task.codec.read_completion(row)[0] for row in tokens]
    _, settled = task.needed(second, Ragged.stack(traces, task.codec.trace_width), second.solution)
    return {
        "row": rows,
        "second": task.judge(second, tokens).solution_valid,
        "first": task.judge(first, tokens).solution_valid,
        "held": settled >= 0,
        "trace_tokens": trace_and_solution(task, tokens)[0].lengths,
    }


def table(complete: Complete, task: Task, examples: Examples, seed: int, labels: dict[str, Any]) -> pa.Table:
    """All answers on one test set: a row per pair and trace. labels: the same in all rows."""
    pairs, parts = pairs_of(task, examples, seed), []
    for name, columns in reask(complete, task, pairs):
        rows = columns.pop("row")
        if not len(rows):
            say(f"{name} is left out: no such trace fits into the model's context")
            continue
        fixed = {**labels, "behind": name, "left_out": pairs.left_out}
        about = {label: pa.array([value] * len(rows)) for label, value in fixed.items()}
        about |= {"index": pairs.first.index[rows], "problem_key": pairs.first.identity[rows]}
        parts.append(pa.table({**about, **columns}))
    if not parts:
        raise ValueError("nothing can be asked again: no prompt fits into the model's context")
    return pa.concat_tables(parts)


def of_run(run: Run, splits: Sequence[str] | None = None, problems: int | None = None) -> pa.Table:
    """All answers of a run's model. splits: test sets (None: the first); problems: of each (None: as many as
    it was evaluated on). ValueError if there is no such test set, or the task's problems have one question.
    """
    asked = tested(run, splits, problems)
    parts = []
    for name, (task, examples) in asked.tests.items():
        options = {"stop": task.codec.stop, "max_new": asked.max_new, "batch_size": asked.sampling.batch_size}
        labels = {**asked.about, "split": name}
        complete = completing(asked.model, **options)
        parts.append(table(complete, task, examples, asked.sampling.seed, labels))
    return pa.concat_tables(parts)
