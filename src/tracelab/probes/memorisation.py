"""Does a model solve, or remember? Its outcomes on problems it was trained on, changed ones, and new ones.

    train        problems that it was trained on, drawn among them
    move_goal..  each small change that the task offers (`Task.perturb`), of those same problems
    fresh        problems of the test split, drawn as the trained ones were

What is changed into a problem that was trained on is left out, and counted. Whoever remembers is right on
`train` alone; whoever solves is right on all three. The design is Xie et al.'s (2024, arXiv 2410.23123).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task
from tracelab.core.waiting import waiting
from tracelab.data import frozen
from tracelab.evaluation.judging import judge_model, labels, trained_model
from tracelab.evaluation.outcomes import table_of
from tracelab.models.base import Model
from tracelab.probes.exposure import Seen, contents, seen
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.settings import Experiment, Sampling
from tracelab.runs.students import pinned


@dataclass(frozen=True)
class Probe:
    """A set of problems to be solved.

    parents: the trained problems that they are or come from, None of fresh ones; times: (n,) how often these
    were trained on; impossible: of those asked for, how many have no such change; known: and how many were
    left out because they were trained on.
    """

    name: str
    examples: Examples
    parents: Examples | None
    times: NDArray[np.int64]
    impossible: int = 0
    known: int = 0


def probes(
    experiment: Experiment, task: Task, known: Seen, problems: int, kinds: Sequence[str] | None = None
) -> Iterator[Probe]:
    """All sets. problems: of each, at most; kinds: of change, None for all that the task offers.

    Of the problems that were trained on, the same are taken for all arms of a seed, as far as they have seen
    the same. ValueError if the task has no such change.
    """
    check_kinds(task, kinds)
    rows = _drawn(known, experiment.seed, problems)
    keys = rng.keys(experiment.seed, "train", 0, int(known.index.max()) + 1, "problem")
    with waiting("Drawing trained problems"):
        train = _with_index(task.generate(keys[known.index[rows]], "train"), known.index[rows])
    assert (train.identity == known.identity[rows]).all()
    times = known.times[rows]
    yield Probe("train", train, train, times)
    for kind in getattr(task, "perturbations", ()) if kinds is None else kinds:
        yield _changed(experiment, task, known, train, times, kind)
    distinct = experiment.data.distinct and not experiment.data.online
    options: dict[str, Any] = {"distinct": distinct, "workers": experiment.data.drawn_by}
    fresh = frozen.problems(task, seed=experiment.eval.seed, split="test", count=problems, **options)
    new = ~np.isin(fresh.identity, known.identity)
    fresh = fresh.take(np.flatnonzero(new))
    yield Probe("fresh", fresh, None, np.zeros(len(fresh), np.int64), known=int((~new).sum()))


def check_kinds(task: Task, kinds: Sequence[str] | None) -> None:
    """ValueError if the task has no such change."""
    for kind in kinds or ():
        one_of("perturbations", kind, getattr(task, "perturbations", ()))


def _drawn(known: Seen, seed: int, count: int) -> NDArray[np.int64]:
    """Rows of `known`, ascending: those with the least of keys that belong to their places in the stream."""
    keys = rng.keys(seed, "train", 0, int(known.index.max()) + 1, "memorisation")[known.index]
    return np.sort(np.argsort(keys)[:count])


def _with_index(examples: Examples, index: Integers) -> Examples:
    return Examples(**{**vars(examples), "index": index})


def _changed(
    experiment: Experiment, task: Any, known: Seen, train: Examples, times: NDArray[np.int64], kind: str
) -> Probe:
    """A kind of change of the trained problems, less what was trained on: to the letter, or but for its
    symmetry. (A problem's own mirror image has its canonical hash, and is another to a model.)
    """
    stream = f"perturbation {kind}"
    keys = rng.keys(experiment.seed, "train", 0, int(train.index.max()) + 1, stream)[train.index]
    with waiting(f"Changing problems ({kind})"):
        changed = task.perturb(train, kind, keys)
    rows = np.searchsorted(train.index, changed.index)
    own = changed.identity == train.identity[rows]
    trained = np.isin(contents(changed), known.content) | (np.isin(changed.identity, known.identity) & ~own)
    new = np.flatnonzero(~trained)
    impossible = len(train) - len(changed)
    return Probe(
        kind, changed.take(new), train.take(rows[new]), times[rows[new]], impossible, int(trained.sum())
    )


def table(model: Model, task: Task, probe: Probe, sampling: Sampling, max_new: int, about: Any) -> pa.Table:
    """A set's outcomes, as in outcomes.parquet, and besides:

    parent_key: the canonical hash of the trained problem that this is or comes from (`index` is its place in
    the training stream), null if fresh; times_trained: how often the model was trained on that one;
    parent_solves: is its reference solution right here, too?; recites: is it what the model answers?;
    impossible, known: what was left out of the whole set, see Probe.
    """
    judged = judge_model(model, task, probe.examples, sampling, max_new)
    outcomes = table_of(judged, task, {**about, "split": probe.name})
    each = np.repeat(np.arange(len(probe.examples)), sampling.samples)
    columns: dict[str, Any] = {
        "times_trained": probe.times[each],
        "impossible": np.full(len(each), probe.impossible),
        "known": np.full(len(each), probe.known),
    }
    if probe.parents is None:
        nothing = {"parent_key": pa.uint64(), "parent_solves": pa.bool_(), "recites": pa.bool_()}
        columns |= {name: pa.nulls(len(each), kind) for name, kind in nothing.items()}
    else:
        solutions = probe.parents.solution
        answers = (task.codec.read_completion(row)[1] for row in judged.completions.tokens)
        same = [
            np.array_equal(solutions[i], answer) for i, answer in zip(each.tolist(), answers, strict=True)
        ]
        solves = task.judge(probe.examples, _without_traces(task, probe.parents)).solution_valid
        columns |= {"parent_key": probe.parents.identity[each], "parent_solves": solves[each]}
        columns["recites"] = np.array(same, np.bool_)
    for name, values in columns.items():
        outcomes = outcomes.append_column(name, pa.array(values))
    return outcomes


def _without_traces(task: Task, examples: Examples) -> Ragged:
    """Their reference solutions as completions."""
    nothing = Ragged.of([[]] * len(examples))
    solutions = task.codec.encode(task.codec.solution, examples.solution)
    return task.codec.assemble(nothing, nothing, solutions).tokens


def of_run(run: Run, problems: int | None = None, kinds: Sequence[str] | None = None) -> pa.Table:
    """All sets of a run's model. problems: of each (None: as many as it was evaluated on).

    ValueError if it was post-trained, or if the problems that it was trained on, or the student that wrote
    its traces, are no longer the same.
    """
    record, experiment = run.read_json("run.json"), run.settings
    if experiment.names.algorithm is not None:
        raise ValueError(
            f"{run.folder} was post-trained, on problems without end: ask what its source remembers, "
            f"run={record['source']}"
        )
    if "merge" in run.config:
        raise ValueError(
            f"{run.folder} is made of others' weights and was trained on nothing itself: ask what its base "
            f"remembers, run={record['merge']['base_model']}"
        )
    if experiment.data.files is not None:
        raise ValueError(
            "data.files has problems that the generator does not draw again, nor fresh ones that are like "
            "them: take a run whose problems were drawn (data.files=null)"
        )
    task, sampling = build_task(experiment.task), experiment.eval
    check_kinds(task, kinds)
    pinned(experiment.trace, record)
    model = trained_model(run, task, sampling.checkpoint, record["context"])
    _check_problems(run, task)
    with waiting("Looking what was trained on"):
        count = load_progress(run.checkpoint(sampling.checkpoint))["examples"]
        known = seen(experiment, task, count, run.read_json("run.json").get("extended_from", ()))
    limit, parts = sampling.limit(record), []
    for probe in probes(experiment, task, known, problems or sampling.problems, kinds):
        if len(probe.examples) == 0:
            say(f"{probe.name}: {probe.impossible} without one, {probe.known} changed into a trained one")
            continue
        parts.append(table(model, task, probe, sampling, limit, labels(run)))
    return pa.concat_tables(parts, promote_options="permissive")


def _check_problems(run: Run, task: Task) -> None:
    """The run's own test problems must be drawn again: then its training problems are, too."""
    path = run.folder / "outcomes.parquet"
    columns = ["split", "problem_key"]
    if not path.is_file():
        raise ValueError(f"{run.folder} is not evaluated: python -m tracelab.evaluate run={run.folder} first")
    judged = pyarrow.parquet.read_table(path, columns=columns).to_pydict()
    theirs = {key for split, key in zip(*judged.values(), strict=True) if split == judged["split"][0]}
    drawn, workers = run.settings.eval, run.settings.data.drawn_by
    ours = frozen.problems(task, seed=drawn.seed, split="test", count=drawn.problems, workers=workers)
    if theirs != set(ours.identity.tolist()):
        raise ValueError(
            f"{run.folder} was trained on problems that this version of tracelab draws differently: analyse "
            f"it with the version that trained it (commit {run.read_json('run.json')['git']})"
        )
