"""A run's model with its trained weights.

model = trained_model(run, task, "last", context)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tracelab.core.files import read_json
from tracelab.core.types import Task
from tracelab.models.base import Model
from tracelab.runs import stamps
from tracelab.runs.arms import begun_with, check_source
from tracelab.runs.build import build, build_model, device_of, precision_of
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.claims import is_claimed
from tracelab.runs.folder import Run


def trained_model(
    run: Run, task: Task, checkpoint: str, context: int, device: torch.device | None = None
) -> Model:
    """A run's model with the weights of a checkpoint, in the precision that the run was trained in.

    device: None: the GPU where there is one.
    """
    path = run.trained(checkpoint)
    experiment = run.settings
    recorded = run.read_json("run.json").get("precision")  # not in earlier versions, in which nobody asked
    if recorded is None:
        precision = precision_of(experiment, wished="auto")
    else:
        precision = precision_of(experiment, trained=recorded["name"])
    treatment = build("trace", experiment.trace)  # of which `thinks` alone matters, not whom it asks
    vocabulary = task.codec.vocabulary
    model = build_model(experiment.model, vocabulary, context, experiment.seed, precision, treatment)
    model.load_state_dict(load_weights(path))
    return model.to(device or device_of(experiment.trainer)).eval()


def stamp_of(run: Run, checkpoint: str | None = None) -> dict[str, Any]:
    """What is made of a run now is marked by this. checkpoint: None: the one that is evaluated."""
    last = run.checkpoint()
    record = run.read_json("run.json") or {}
    progress = load_progress(last) if last.is_file() else record.get("progress", {})
    return stamps.stamp(checkpoint or run.settings.eval.checkpoint, progress)


def settled(run: Run, checkpoint: str | None = None) -> dict[str, Any]:
    """`stamp_of` a run that is to be asked. ValueError if another process trains it."""
    stamp = stamp_of(run, checkpoint)
    check_settled(run, stamp)
    return stamp


def check_settled(run: Run, stamp: stamps.Stamp) -> None:
    """ValueError if a run is trained by another process, or was since it was stamped.

    Then what was made of it in between is not of what lies there.
    """
    if is_claimed(run.folder, unknown=False):
        raise ValueError(
            f"another process is training in {run.folder}: what is asked of it now would soon be another "
            "model's. Wait for it, or stop it, and give the command once more"
        )
    now = stamp_of(run, stamp["checkpoint"])
    if now != dict(stamp):
        raise ValueError(
            f"{run.folder} was trained on while it was asked (from step {stamp['steps']} to {now['steps']}): "
            "nothing was written. Give the command once more"
        )


@contextmanager
def unmoved(*runs: Run) -> Iterator[None]:
    """The time in which weights of runs are read.

    ValueError at its start or end if another process trains one of them, or has trained it in between.
    """
    stamps_before = [settled(run) for run in runs]
    yield
    for run, stamp in zip(runs, stamps_before, strict=True):
        check_settled(run, stamp)


def check_as_begun(run: Run, source: Run) -> None:
    """ValueError if the weights of a run's source are others now than the run began with (`check_source`)."""
    check_source(run, source, stamp_of(source, begun_with(run.config)))


def check_vocabulary(folder: Path, vocabulary: tuple[str, ...]) -> None:
    """ValueError if the run in a folder was trained on other words."""
    path = folder / "vocab.json"
    theirs = read_json(path) or list(vocabulary)
    if theirs != list(vocabulary):
        raise ValueError(
            f"{folder} holds a checkpoint of another vocabulary (it has {len(theirs)} words, this task "
            f"{len(vocabulary)}): take the task and the task.format, task.size and task.reach that it was "
            "trained with"
        )
