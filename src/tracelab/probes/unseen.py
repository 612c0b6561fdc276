"""New problems for a run: none that it was trained on, each with a control of the same complexity.

drawn = draw(run, task, asked, "expansions")

They are of the training split, in a stream of their own: data.files of a training takes all of them, and none
is of the splits of validation and test. Of a run that began with another's weights (init_from), that one's
problems are not known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core import rng
from tracelab.core.types import Examples, Task
from tracelab.data import frozen
from tracelab.probes.matching import lacking, matched
from tracelab.probes.settings import Grading
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress
from tracelab.runs.folder import Run
from tracelab.runs.levels import at_levels
from tracelab.runs.settings import Experiment

STREAM = "problem graded"  # of the training split, in which no training draws
USUAL, STEPS = "expansions", "reference_steps"  # measures of complexity: the second is every task's
LEAST = 256  # problems that are drawn at a time
MOST = 8  # times as many problems are looked at for controls, before the nearest complexity will do
PATIENCE = 20  # times as many problems as are asked for, of which too few are new


class Drawn(NamedTuple):
    """New problems and, for each, its control; how many were left out: trained on, or drawn before."""

    examples: Examples
    controls: Examples
    trained_on: int
    repeated: int


def measure_of(task: Task, asked: str | None) -> str:
    """The measure of complexity that is asked for; None: the search's expansions, else its steps."""
    return asked or (USUAL if USUAL in task.complexities else STEPS)


def complexity_of(examples: Examples, measure: str) -> NDArray[np.float64]:
    """(n,) a measure of complexity."""
    values = examples.trace.lengths if measure == STEPS else examples.complexity[measure]
    return values.astype(np.float64)


def draw(run: Run, task: Task, asked: Grading, measure: str) -> Drawn:
    """New problems, and for each another one of its complexity, or as near to it as is found.

    ValueError if the task has too few new ones.
    """
    count, known = asked.problems, trained_on(run, asked.checkpoint)
    taken, parts, old, again = known, list[Examples](), 0, 0
    for k in range(PATIENCE):
        part = stretch(run, task, asked, k)
        trained, first = np.isin(part.identity, known), np.zeros(len(part), np.bool_)
        first[np.unique(part.identity, return_index=True)[1]] = True
        new = first & ~np.isin(part.identity, taken)
        taken = np.union1d(taken, part.identity)
        old, again = old + int(trained.sum()), again + int((~new & ~trained).sum())
        parts.append(part.take(np.flatnonzero(new)))
        found = sum(map(len, parts))
        if found < 2 * count:
            continue
        examples = Examples.concat(parts)
        wanted, pool = np.split(complexity_of(examples, measure), [count])
        if found > MOST * count or not lacking(wanted, pool):
            break
    if found < 2 * count:
        every = (k + 1) * max(count, LEAST)
        raise ValueError(
            f"problems={count} and as many controls were asked for, and of {every:,} that were drawn only "
            f"{found:,} are new: ask for fewer, or grade with a run of a larger task"
        )
    rows = count + matched(wanted, pool, rng.rng(asked.seed, "train", 0, "graded controls"))
    return Drawn(examples.take(np.arange(count)), examples.take(rows), old, again)


def stretch(run: Run, task: Task, asked: Grading, k: int) -> Examples:
    """The k-th stretch of the stream that is graded."""
    size = max(asked.problems, LEAST)
    return frozen.problems(
        task,
        seed=asked.seed,
        split="train",
        name=STREAM,
        start=k * size,
        count=size,
        distinct=False,
        workers=run.settings.data.drawn_by,
    )


def trained_on(run: Run, checkpoint: str) -> NDArray[np.uint64]:
    """Canonical hashes of all problems that a run may have been trained on, at any level of a teacher."""
    every = [_of_level(run, experiment, checkpoint) for experiment in at_levels(run.settings)]
    return np.unique(np.concatenate(every))


def _of_level(run: Run, experiment: Experiment, checkpoint: str) -> NDArray[np.uint64]:
    try:
        chunks = sets.training_problems(experiment, build_task(experiment.task))
    except FileNotFoundError as error:
        raise ValueError(
            f"data.files={error.filename}, which {run.folder} was trained on, is gone, so that nobody knows "
            "which problems are new to it: put that file back"
        ) from None
    pieces = len(chunks)
    if experiment.data.online:
        pieces = -(-load_progress(run.checkpoint(checkpoint))["examples"] // chunks.size(0))
    return np.concatenate([chunks[piece].identity for piece in range(pieces)])
