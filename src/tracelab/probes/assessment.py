"""Does a model tell a valid trace from a damaged one? Log-likelihoods of both, without sampling.

Each problem's reference trace, which is valid, is held against twins of it that were damaged as by
`trace=corrupted`: of every kind, at several rates. The model reads both behind the prompt, from the word that
opens the trace to the word that opens the solution, so that where a trace ends is a part of it.

A longer trace has a smaller likelihood, whatever it says. So each pair has its lengths: `state`, `cost`,
`order` and `op` keep the steps' number, and `drop` and `insert` do not. What is compared is left to
`analysis.assessment`: whole traces, per token, and the first token that differs, which both read behind the
same words. Not every twin is wrong there: another step that is legal may stand at that place, and the fault
come later. Each pair says which it is.

    python -m tracelab.assess run=runs/...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.logprobs import sums, teacher_forced
from tracelab.models.base import Model
from tracelab.probes.imposing import check_words, opening, solutions
from tracelab.probes.tested import tested
from tracelab.runs.build import build_task
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.traces._damage import KINDS
from tracelab.traces.base import Treated, reference
from tracelab.traces.corrupted import Corrupted


def check_kinds(task: Task, kinds: Sequence[str] | None) -> None:
    """ValueError if there is no such kind of damage, or the task's traces cannot have it."""
    for kind in kinds or ():
        one_of("kinds", kind, KINDS)
        try:
            Corrupted(kind=kind).check(task)
        except ValueError as error:
            raise ValueError(str(error).replace("trace.kind", "kinds")) from None


def twins(
    task: Task, examples: Examples, seed: int, rates: Sequence[float], kinds: Sequence[str] | None = None
) -> Iterator[tuple[Corrupted, Treated]]:
    """Damaged traces of the same problems, each kind at each rate. kinds: None for all that the task's traces
    can have. ValueError if none can be had.
    """
    keys, found = rng.keys(seed, "test", 0, len(examples), "assessment"), False
    for kind in kinds or KINDS:
        try:
            for rate in rates:
                damage = Corrupted(rate=rate, kind=kind)
                yield damage, damage(task, examples, keys)
                found = True
        except ValueError as error:
            if kinds is not None:
                raise
            say(f"{kind} is left out: {error}")
    if not found:
        raise ValueError("no trace of these problems can be damaged: name others with splits or problems")


def assess(
    model: Model,
    task: Task,
    examples: Examples,
    seed: int,
    rates: Sequence[float] = (0.1, 0.5, 1.0),
    kinds: Sequence[str] | None = None,
) -> Iterator[tuple[Corrupted, dict[str, NDArray[Any]]]]:
    """Each kind and rate of damage with its pairs, arrays of as many as there are.

    row: its problem's place; valid_logprob, twin_logprob: of whole traces, in nats; valid_tokens,
    twin_tokens; valid_first, twin_first: log-probabilities of the first token that differs; same_before: of
    how many tokens behind; first_wrong: is the twin's step there locally invalid, as the verifier replays
    it?; damaged: steps. Left out are twins that no damage made invalid, and pairs that do not fit into the
    model's context: `left_out` has how many. ValueError for formats without opening words.
    """
    check_words(task)
    prompts, valid = model.opened(task.prompts(examples)), opening(task, reference(task, examples))
    fits = np.flatnonzero(prompts.lengths + valid.lengths <= model.context)
    known = teacher_forced(model, prompts.take(fits), valid.take(fits))
    place = np.full(len(examples), -1)
    place[fits] = np.arange(len(fits))
    for damage, treated in twins(task, examples, seed, rates, kinds):
        twin = opening(task, treated.trace)
        good = (place >= 0) & (prompts.lengths + twin.lengths <= model.context) & ~treated.residual_valid
        rows = np.flatnonzero(good)
        figures = _pairs(
            (valid.take(rows), known.take(place[rows])),
            (twin.take(rows), teacher_forced(model, prompts.take(rows), twin.take(rows))),
        )
        left_out = np.full(len(rows), len(examples) - len(rows))
        figures["first_wrong"] = wrong_at_first(task, examples.take(rows), twin.take(rows), treated, rows)
        yield damage, {"row": rows, **figures, "damaged": treated.damage[rows], "left_out": left_out}


def wrong_at_first(
    task: Task, examples: Examples, twin: Ragged, treated: Treated, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(n,): is a twin's first step that differs from the valid trace the one that makes it locally invalid?

    twin: its tokens; rows: whose twins of the treated they are.
    """
    assert treated.rows is not None, "damaged traces are steps"
    if not len(rows):
        return np.zeros(0, np.bool_)
    bad = task.judge(examples, twin.joined(solutions(task, examples))).trace_at[:, task.levels.index("local")]
    steps = zip(examples.trace, treated.rows.take(rows), strict=True)
    return np.array([at == _first_step(valid, other) for at, (valid, other) in zip(bad, steps, strict=True)])


def _first_step(valid: NDArray[Any], other: NDArray[Any]) -> int:
    """The first step that differs; where one trace goes on where the other ends, that place."""
    least = min(len(valid), len(other))
    differs = np.flatnonzero((valid[:least] != other[:least]).any(1))
    return int(differs[0]) if len(differs) else least


def _pairs(valid: tuple[Ragged, Ragged], twin: tuple[Ragged, Ragged]) -> dict[str, NDArray[Any]]:
    """Figures of pairs of traces, each (tokens, log-probabilities)."""
    same = np.array([_common(a, b) for a, b in zip(valid[0], twin[0], strict=True)], np.int64)
    figures: dict[str, NDArray[Any]] = {"same_before": same}
    for name, (tokens, logprobs) in {"valid": valid, "twin": twin}.items():
        figures[f"{name}_logprob"] = sums(logprobs)
        figures[f"{name}_tokens"] = tokens.lengths
        figures[f"{name}_first"] = logprobs.values[logprobs.offsets[:-1] + same]
    return figures


def _common(a: NDArray[Any], b: NDArray[Any]) -> int:
    """How many tokens two different traces begin with alike: both end with the same word, so that they differ
    before the shorter one's end, or at it.
    """
    least = min(len(a), len(b))
    differs = np.flatnonzero(a[:least] != b[:least])
    assert len(differs), "a twin is its valid trace"
    return int(differs[0])


def of_run(
    run: Run, splits: Sequence[str] | None = None, problems: int | None = None, **asked: Any
) -> pa.Table:
    """All pairs on a run's model, a row each. splits, problems: as of `tested`; asked: `assess`'s rates and
    kinds.
    """
    check_kinds(build_task(run.settings.task), asked.get("kinds"))
    what, parts = tested(run, splits, problems), []
    for split, (task, examples) in what.tests.items():
        for damage, columns in assess(what.model, task, examples, what.sampling.seed, **asked):
            rows = columns.pop("row")
            if not len(rows):
                say(f"{damage.kind} {damage.rate:g} is left out: no pair fits the model")
                continue
            fixed = {**what.about, "split": split, "kind": damage.kind, "rate": float(damage.rate)}
            about = {name: [value] * len(rows) for name, value in fixed.items()}
            about |= {"index": examples.index[rows], "problem_key": examples.identity[rows]}
            parts.append(pa.table({**about, **columns}))
    if not parts:
        raise ValueError(
            f"nothing can be assessed: no prompt with a trace fits into {what.model.context} tokens"
        )
    return pa.concat_tables(parts, promote_options="permissive")
