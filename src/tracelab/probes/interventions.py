"""Is the trace used? Impose traces on a trained model and see what it answers.

Behind a prompt and an imposed trace stands the word that opens the solution; the model writes the rest,
greedily. What is imposed:

    own           the trace that the model writes by itself: the answer that others are compared with
    prefix 0.5    its first half (early answering); 0 is no trace, but with its opening word
    none          no trace at all
    correct, swapped, filler, ...  the reference under each treatment in conf/trace; where it has a dose
                  (`corrupted`), with several. Left out are those that leave no trace, or are not for the task
    matched       swapped, with the trace of a problem whose reference is as long, or nearly

Sources: Lanham et al. 2023 (arXiv 2307.13702) for early answering, mistakes and filler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from hydra.utils import get_class, instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from tracelab.core import rng
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.logprobs import evaluate, micro_batches
from tracelab.decoding.sampling import Completions, generate
from tracelab.evaluation.judging import labels, trained_model
from tracelab.models.base import Model
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.traces.base import Treatment
from tracelab.traces.swapped import Swapped

MICRO_TOKENS = 16384


@dataclass(frozen=True)
class Imposed:
    """One intervention on n problems.

    name, dose: which; opening: tokens behind each prompt, up to the solution's opening word; follows: the
    solutions (tokens) that the imposed traces lead to, or None where they are this problem's own.
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
    """All of them. own: what the model completes by itself, greedily. ValueError for formats without words
    that open trace and solution.
    """
    codec = task.codec
    if not (codec.format.trace_open and codec.format.solution_open):
        raise ValueError("this format has no word that opens a solution, so no trace can be imposed")
    nothing = Ragged.of([[]] * len(examples))
    trace, _ = _parts(task, own.tokens)
    yield Imposed("own", None, _opened(task, trace, always=False))
    yield Imposed("none", None, _opened(task, nothing, always=False))
    for share in prefixes:
        yield Imposed("prefix", share, _opened(task, _first(task, trace, share)))
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
        follows = None if donors is None else _solutions(task, examples.take(donors))
        yield Imposed(name, dose, _opened(task, treated.trace), follows)


def treatments(rates: Sequence[float]) -> Iterator[tuple[str, float | None, Treatment]]:
    """Every treatment with its name and, where it has one, its dose: each of the rates."""
    for path in sorted((CONF / "trace").glob("*.yaml")):
        config = OmegaConf.load(path)
        kind: Any = get_class(config._target_)
        knob = kind.dose
        doses: Sequence[float | None] = [None] if knob is None else rates
        for dose in doses:
            yield path.stem, dose, instantiate(config, **({} if knob is None else {knob: dose}))
    yield "matched", None, Swapped(match="length")


def _opened(task: Task, trace: Ragged, always: bool = True) -> Ragged:
    """A trace between its opening word (also of an empty one, if `always`) and the solution's."""
    opens, closes = (
        task.codec.token[w] for w in (task.codec.format.trace_open, task.codec.format.solution_open)
    )
    return Ragged.of([[*([opens] if always or len(row) else []), *row, closes] for row in trace])


def _parts(task: Task, tokens: Ragged) -> tuple[Ragged, Ragged]:
    """Completions -> traces without opening word, solutions from behind theirs (empty if there is none)."""
    codec = task.codec
    traces, solutions = [], []
    for row in tokens:
        places = np.flatnonzero(row == codec.token[codec.format.solution_open])
        cut = int(places[0]) if len(places) else len(row)
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
            part = codec.encode(
                codec.trace, Ragged(rows[: int(share * len(rows))], np.array([0, int(share * len(rows))]))
            )
            kept.append(part.values)
        else:
            kept.append(row[: int(share * len(row))])
    return Ragged.of(kept)


def _solutions(task: Task, examples: Examples) -> Ragged:
    """Reference solutions with the stop word, as tokens."""
    codec = task.codec
    written = codec.encode(codec.solution, examples.solution)
    return written.joined(Ragged.of([[codec.stop]] * len(examples)))


def intervene(
    model: Model, task: Task, examples: Examples, config: DictConfig, max_new: int, **doses: Sequence[float]
) -> Iterator[tuple[Imposed, dict[str, NDArray[Any]]]]:
    """Impose, answer, judge: each intervention with its outcomes, arrays of n.

    valid, optimal, reason: of the solution; changed: does it differ from the one behind the model's own
    trace?; follows: is it the one that the imposed trace leads to?; reference_logprob: log-probability, in
    nats, that the model gives the reference solution there (teacher forced); reference_tokens: of how many
    tokens; trace_tokens: how long the imposed trace is.
    """
    prompts = task.prompts(examples)
    options = {"stop": task.codec.stop, "max_new": max_new, "batch_size": config.batch_size}
    own = generate(model, prompts, **options)
    before, reference = _parts(task, own.tokens)[1], _solutions(task, examples)
    for imposed in interventions(task, examples, own, config.seed, **doses):
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
        followed = reference if imposed.follows is None else imposed.follows
        yield (
            imposed,
            {
                "row": rows,
                "valid": verdicts.solution_valid,
                "optimal": verdicts.solution_optimal,
                "reason": np.array(task.reasons)[verdicts.solution_reason],
                "changed": ~_equal(answers, before.take(rows)),
                "follows": _equal(answers, followed.take(rows)),
                "reference_logprob": _likelihood(model, whole.take(rows), reference.take(rows)),
                "reference_tokens": reference.lengths[rows],
                "trace_tokens": imposed.opening.lengths[rows] - 1,
            },
        )


def _equal(one: Ragged, other: Ragged) -> NDArray[np.bool_]:
    """(n,): are the rows the same?"""
    return np.array([np.array_equal(a, b) for a, b in zip(one, other, strict=True)], np.bool_)


def _likelihood(model: Model, prompts: Ragged, completions: Ragged) -> NDArray[np.float64]:
    """(n,): the log-probability of each completion."""
    sums, device = np.zeros(len(prompts)), model.device
    for micro in micro_batches(prompts, completions, MICRO_TOKENS):
        moved = type(micro)(*(part.to(device) for part in micro))
        with torch.no_grad(), model.computing():
            logprobs, _ = evaluate(model, moved, temperature=1.0)
        sums[micro.rows.numpy()] = logprobs.sum(1).double().cpu().numpy()
    return sums


def table(
    model: Model,
    task: Task,
    examples: Examples,
    config: DictConfig,
    max_new: int,
    labels: dict[str, Any],
    **doses: Any,
) -> pa.Table:
    """All interventions on one test set: a row per problem and intervention. labels: the same in all rows.

    Problems whose prompt and imposed trace are longer than the model's context are left out. ValueError if
    all are.
    """
    parts = []
    for imposed, columns in intervene(model, task, examples, config, max_new, **doses):
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
    config, record = run.config, run.read_json("run.json")
    if problems is not None:
        config.eval.problems = problems
    tests = sets.test_sets(config, build_task(config))
    names = list(splits or list(tests)[:1])
    if unknown := set(names) - set(tests):
        raise ValueError(f"splits={names}: there is no test set {unknown}; choose from {', '.join(tests)}")
    model = trained_model(run, tests[names[0]][0], config.eval.checkpoint, record["context"])
    return pa.concat_tables(
        table(model, *tests[name], config.eval, record["max_new"], {**labels(run), "split": name}, **doses)
        for name in names
    )
