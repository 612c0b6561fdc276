"""Traces to impose on a trained model, each behind its prompt and up to the word that opens the solution.

What `interventions` gives, by name:

    own           the trace that the model writes by itself: the answer that others are compared with
    prefix 0.5    its first half (early answering); 0 is no trace, but with its opening word
    none          no trace at all
    correct, swapped, filler, ...  the reference under each treatment in conf/trace; where it has a dose
                  (`corrupted`), with several. Left out are those that leave no trace, are not for the task,
                  or ask a trained model
    matched       swapped, with the trace of a problem whose reference is as long, or nearly
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hydra.utils import get_class, instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf

from tracelab.core import rng
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.completions import Completions
from tracelab.runs.entry import say
from tracelab.traces.base import Treatment
from tracelab.traces.swapped import Swapped


@dataclass(frozen=True)
class Imposed:
    """One intervention on n problems.

    name, dose: which; opening: tokens behind each prompt, up to the solution's opening word; follows: the
    solutions (tokens) of the other problems whose traces are imposed, or None where none gave any.
    """

    name: str
    dose: float | None
    opening: Ragged
    follows: Ragged | None = None


def interventions(
    task: Task,
    examples: Examples,
    own: Completions,
    seed: int,
    rates: Sequence[float] = (0.1, 0.5, 1.0),
    prefixes: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
) -> Iterator[Imposed]:
    """All of them. own: what the model completes by itself, greedily. task: see `check_words`."""
    nothing = Ragged.of([[]] * len(examples))
    trace, _ = trace_and_solution(task, own.tokens)
    yield Imposed("own", None, opening(task, trace, always=False))
    yield Imposed("none", None, opening(task, nothing, always=False))
    for share in prefixes:
        yield Imposed("prefix", share, opening(task, _first(task, trace, share)))
    keys = rng.keys(seed, "test", 0, len(examples), "intervention")
    for name, dose, treatment in treatments(rates):
        try:
            treated = treatment(task, examples, keys)
        except ValueError as error:  # it is not for traces of this task
            say(f"{name} is left out: {error}")
            continue
        if not treated.trace.lengths.any():
            continue
        donors = treated.donor if (treated.donor >= 0).all() else None
        follows = None if donors is None else solutions(task, examples.take(donors))
        yield Imposed(name, dose, opening(task, treated.trace), follows)


def treatments(rates: Sequence[float]) -> Iterator[tuple[str, float | None, Treatment]]:
    """Every treatment with its name and, where it has one, its dose: each of the rates."""
    for path in sorted((CONF / "trace").glob("*.yaml")):
        config = OmegaConf.load(path)
        kind: Any = get_class(config._target_)
        knob = kind.dose
        doses: Sequence[float | None] = [None] if knob is None else rates
        for dose in doses:
            treatment = instantiate(config, **({} if knob is None else {knob: dose}))
            if not treatment.lacks:
                yield path.stem, dose, treatment
    yield "matched", None, Swapped(match="length")


def check_words(task: Task) -> None:
    """ValueError if no words open trace and solution: then a trace has no end of its own."""
    if not (task.codec.format.trace_open and task.codec.format.solution_open):
        raise ValueError("this format has no word that opens a solution, so no trace can be imposed")


def opening(task: Task, trace: Ragged, always: bool = True) -> Ragged:
    """A trace between its opening word (also of an empty one, if `always`) and the solution's."""
    opens, closes = (
        task.codec.token[w] for w in (task.codec.format.trace_open, task.codec.format.solution_open)
    )
    return Ragged.of([[*([opens] if always or len(row) else []), *row, closes] for row in trace])


def trace_and_solution(task: Task, tokens: Ragged) -> tuple[Ragged, Ragged]:
    """Completions -> traces without opening word, solutions from behind theirs (empty if there is none).

    What has no solution ends before its stop word.
    """
    codec = task.codec
    traces, solutions = [], []
    for row in tokens:
        ends = (row == codec.token[codec.format.solution_open]) | (row == codec.stop)
        cut = int(np.argmax(ends)) if ends.any() else len(row)
        opened = int(cut > 0 and row[0] == codec.token[codec.format.trace_open])
        traces.append(row[opened:cut])
        solutions.append(row[cut + 1 :])
    return Ragged.of(traces), Ragged.of(solutions)


def _first(task: Task, trace: Ragged, share: float) -> Ragged:
    """The first share of each trace's steps, rounded down; of what does not parse, of its tokens."""
    codec, kept = task.codec, []
    for row in trace:
        rows, read = codec.decode(codec.trace, row)
        if read == len(row):
            count = int(share * len(rows) + 1e-9)  # 0.7 of 90 are 63, and their product a little less
            kept.append(codec.encode(codec.trace, Ragged(rows[:count], np.array([0, count]))).values)
        else:
            kept.append(row[: int(share * len(row) + 1e-9)])
    return Ragged.of(kept)


def right_for(task: Task, examples: Examples, written: Ragged) -> NDArray[np.bool_]:
    """(n,): are these solutions (tokens) right for the problems?"""
    nothing = opening(task, Ragged.of([[]] * len(examples)), always=False)
    return task.judge(examples, nothing.joined(written)).solution_valid


def solutions(task: Task, examples: Examples) -> Ragged:
    """Reference solutions with the stop word, as tokens."""
    codec = task.codec
    written = codec.encode(codec.solution, examples.solution)
    return written.joined(Ragged.of([[codec.stop]] * len(examples)))
