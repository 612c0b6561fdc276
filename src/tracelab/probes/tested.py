"""A run's model and the test sets that it is to be asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tracelab.evaluation.judging import labels, trained_model
from tracelab.models.base import Model
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.sets import TestSets
from tracelab.runs.settings import Sampling


@dataclass(frozen=True)
class Tested:
    """What a probe of test sets needs of a run.

    tests: those that are asked for, by name; sampling: how it was evaluated; max_new: tokens that a
    completion may have; about: what all rows of a table say of the run.
    """

    model: Model
    tests: TestSets
    sampling: Sampling
    max_new: int
    about: dict[str, Any]


def tested(
    run: Run,
    splits: Sequence[str] | None = None,
    problems: int | None = None,
    checkpoint: Literal["last", "best"] | None = None,
) -> Tested:
    """A run's model with test sets. splits: which (None: the first); problems: of each (None: as many as it
    was evaluated on); checkpoint: None: the one that was evaluated. ValueError if there is no such test set.
    """
    record, experiment = run.read_json("run.json"), run.settings
    sampling = experiment.eval
    sampling = replace(
        sampling, problems=problems or sampling.problems, checkpoint=checkpoint or sampling.checkpoint
    )
    task = build_task(experiment.task)
    asked = sets.chosen(sets.test_sets(replace(experiment, eval=sampling), task), splits)
    model = trained_model(run, task, sampling.checkpoint, record["context"])
    return Tested(model, asked, sampling, sampling.limit(record), labels(run))
