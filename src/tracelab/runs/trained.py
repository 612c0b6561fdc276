"""A run's model with its trained weights.

model = trained_model(run, task, "last", context)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tracelab.core.files import read_json
from tracelab.core.types import Task
from tracelab.models.base import Model
from tracelab.runs import stamps
from tracelab.runs.build import build_model, build_treatment, device_of, precision_of
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.folder import Run


def trained_model(
    run: Run, task: Task, checkpoint: str, context: int, device: torch.device | None = None
) -> Model:
    """A run's model with the weights of a checkpoint. device: None: the GPU where there is one."""
    path = run.trained(checkpoint)
    experiment = run.settings
    nobody_asked = "precision" not in run.read_json("run.json")  # as in earlier versions
    precision = precision_of(experiment, wished="auto" if nobody_asked else None)
    treatment = build_treatment(experiment.trace)
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
