"""What a config's parts describe, built: task, treatment, model, and the number format of its products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate

from tracelab.core.settings import Part
from tracelab.core.types import Task
from tracelab.runs.settings import Experiment
from tracelab.traces.base import Treatment

if TYPE_CHECKING:
    import torch

    from tracelab.models.base import Model
    from tracelab.models.precision import Precision

WIDTH = 128  # of products that are measured for a model that states no width


def build_task(part: Part) -> Task:
    """The task that a config's part describes."""
    task: Task = instantiate(part, _convert_="all")
    return task


def build_treatment(part: Part) -> Treatment:
    """The treatment that a config's part describes."""
    treatment: Treatment = instantiate(part, _convert_="all")
    return treatment


def build_model(
    part: Part, vocabulary: tuple[str, ...], context: int, seed: int, precision: Precision
) -> Model:
    """The model that a config's part describes, initialised from the seed.

    context: the longest sequence that it takes; precision: of its matrix products.
    """
    shape = {name: value for name, value in part.items() if name != "context"}
    model: Model = instantiate(shape, vocab_size=len(vocabulary), context=context, seed=seed, _convert_="all")
    model.products = precision.products
    return model


def device_of(trainer: Part) -> torch.device:
    """Where a model computes: a GPU, if there is one and trainer.accelerator does not say cpu."""
    import torch

    cpu = trainer["accelerator"] == "cpu" or not torch.cuda.is_available()
    return torch.device("cpu" if cpu else "cuda")


def precision_of(experiment: Experiment, resumed: Path | None = None, wished: str | None = None) -> Precision:
    """The precision of an experiment on this machine.

    resumed: a checkpoint, whose precision is kept; wished: in place of trainer.precision.
    """
    from tracelab.models.precision import choose
    from tracelab.runs.checkpoints import load_precision

    before = None if resumed is None else load_precision(resumed)
    width: int = experiment.model.get("width", WIDTH)
    shapes = {
        "tokens": experiment.data.batch_tokens,
        "width": width,
        "hidden": 2 * experiment.model.get("mlp", width),
    }
    trainer = experiment.trainer
    return choose(wished or trainer["precision"], device_of(trainer), **shapes, before=before)
