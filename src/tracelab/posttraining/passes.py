"""pass@k and maj@k before and after a post-training: of the same problems, the same samples, the same limits.

    measure = build_passes(run, experiment, tests, precision, limits)
    measure_before(run, source, experiment, measure)
    keep(run, AFTER, measure(run, "last"))

A finished run may be judged again on other test problems. So each file notes which it is of. The samples'
verdicts lie beside it as Parquet: from them come pass@k with a valid trace, and how sure a change is
(`analysis.before_after.load_passes`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tracelab.core.types import Examples, Task
from tracelab.evaluation.judging import judge_model, labels, trained_model
from tracelab.evaluation.outcomes import Judged, metrics_of, table_of, write
from tracelab.metrics.pass_at_k import PassAtK
from tracelab.models.precision import Precision
from tracelab.posttraining.settings import PostTraining
from tracelab.runs.folder import Run
from tracelab.runs.sets import TestSets
from tracelab.runs.settings import Sampling
from tracelab.runs.trained import check_as_begun, check_settled
from tracelab.training.devices import Devices

BEFORE, AFTER = "passes_before.json", "passes_after.json"
OF = "measured_on"  # in either file: the seed of the test set, and how many of its problems
LISTS = ("completion", "problem")  # columns of outcomes that are not kept of samples


class Measured(NamedTuple):
    """estimates: by name, and of which problems they are; samples: the outcomes that they are made of."""

    estimates: dict[str, Any]
    samples: pa.Table


Measure = Callable[[Run, str], Measured]


def samples_of(run: Run, name: str) -> Path:
    """Where the samples lie that a file's estimates are made of. name: BEFORE or AFTER."""
    return (run.folder / name).with_suffix(".parquet")


def keep(run: Run, name: str, measured: Measured) -> None:
    """Write what was measured, the estimates last: where they are, the samples are, too."""
    write(measured.samples, samples_of(run, name))
    run.write_json(name, measured.estimates)


def forget(run: Run, name: str) -> None:
    """Remove what was measured of other weights."""
    (run.folder / name).unlink(missing_ok=True)
    samples_of(run, name).unlink(missing_ok=True)


def problems_of(config: Mapping[str, Any]) -> dict[str, int]:
    """What a post-training of a config measures on: which test set, and how many of its first problems."""
    tested, asked = config["eval"], config["passes"]
    return {"seed": tested.get("seed", 0), "problems": min(asked["problems"], tested["problems"])}


def note_problems(run: Run) -> None:
    """Note in the file of before what it is of, if an earlier version wrote it: what the config says."""
    known = run.read_json(BEFORE)
    if known is not None and OF not in known:
        run.write_json(BEFORE, {OF: problems_of(run.config), **known})


def build_passes(
    run: Run, experiment: PostTraining, tests: TestSets, precision: Precision, limits: Mapping[str, Any]
) -> Measure:
    """A function of a run and the name of its checkpoint: pass@k and maj@k on the in-distribution test set.

    precision, limits: of both models, before and after: another machine may choose otherwise, and the source
    may be judged otherwise by now.
    """
    asked = experiment.passes
    name, (task, examples) = next(iter(tests.items()))
    few = examples.take(np.arange(min(asked.problems, len(examples))))
    sampled = replace(experiment.eval, samples=asked.samples, temperature=asked.temperature)

    def measure(of: Run, checkpoint: str) -> Measured:
        call = Devices(experiment.trainer, experiment.threads)
        judged = call(written_by, of, checkpoint, precision, limits, task, few, sampled)
        table = table_of(judged, task, {**labels(run), "split": name})
        estimates = metrics_of(table, {"pass_at_k": PassAtK()}, task.levels)[name]
        samples = table.drop_columns([*LISTS])
        return Measured({OF: problems_of(experiment.as_dict()), **estimates}, samples)

    return measure


def written_by(
    of: Run,
    checkpoint: str,
    precision: Precision,
    limits: Mapping[str, Any],
    task: Task,
    examples: Examples,
    sampled: Sampling,
) -> Judged:
    """What the model of a run's checkpoint completes, judged."""
    model = trained_model(of, task, checkpoint, limits["context"])
    model.products = precision.products
    return judge_model(model, task, examples, sampled, limits["max_new"])


def measure_before(run: Run, source: Run, experiment: PostTraining, measure: Measure) -> None:
    """Measure the source's model, unless it was on the same problems.

    Where it was on others, and the source is another model by now, what is known stays; a warning says so.
    """
    known, began = run.read_json(BEFORE), run.read_json("run.json")["began"]
    if known is not None:
        if known[OF] == problems_of(experiment.as_dict()):
            return
        try:
            check_as_begun(run, source)
        except ValueError as error:
            warnings.warn(
                f"pass@k before is of other problems ({known[OF]}) than pass@k after, and left out of its "
                f"figure: {error}",
                stacklevel=2,
            )
            return
    measured = measure(source, experiment.checkpoint)
    if began is not None:  # as earlier versions left it
        check_settled(source, began)  # the learner's weights were read before
    keep(run, BEFORE, measured)


def compared(run: Run, after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The estimates before and after; none before if they are of other problems. after: as measured last."""
    before: dict[str, Any] = run.read_json(BEFORE) or {}
    same = before.get(OF) == after.get(OF)
    both = before if same else {}, after
    first, last = ({name: value for name, value in each.items() if name != OF} for each in both)
    return first, last
