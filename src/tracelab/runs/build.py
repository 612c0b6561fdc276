"""What a config says, built: task, treatment, model, and the number format of its products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from tracelab.core.types import Task
from tracelab.traces.base import Treatment

if TYPE_CHECKING:
    import torch

    from tracelab.models.base import Model
    from tracelab.models.precision import Precision

WIDTH = 128  # of products that are measured for a model that states no width


def build_task(config: DictConfig) -> Task:
    """The task as configured."""
    task: Task = instantiate(config.task, _convert_="all")
    return task


def build_treatment(config: DictConfig) -> Treatment:
    """The treatment as configured."""
    treatment: Treatment = instantiate(config.trace, _convert_="all")
    return treatment


def build_model(
    config: DictConfig, vocabulary: tuple[str, ...], context: int, precision: Precision | None = None
) -> Model:
    """The model, initialised from the seed. context: the longest sequence that it takes; precision: of its
    matrix products (None: as the config asks for).
    """
    shape = {k: v for k, v in config.model.items() if k != "context"}
    model: Model = instantiate(shape, vocab_size=len(vocabulary), context=context, seed=config.seed)
    model.products = (precision or precision_of(config)).products
    return model


def device_of(config: DictConfig) -> torch.device:
    """Where a config's model computes: a GPU, if there is one and trainer.accelerator does not say cpu."""
    import torch

    cpu = config.trainer.accelerator == "cpu" or not torch.cuda.is_available()
    return torch.device("cpu" if cpu else "cuda")


def precision_of(config: DictConfig, resumed: Path | None = None) -> Precision:
    """What trainer.precision means on this machine. resumed: a checkpoint, whose precision is kept."""
    from tracelab.models.precision import choose
    from tracelab.runs.checkpoints import load_precision

    before = None if resumed is None else load_precision(resumed)
    width = config.model.get("width", WIDTH)
    shapes = {
        "tokens": config.data.batch_tokens,
        "width": width,
        "hidden": 2 * config.model.get("mlp", width),
    }
    return choose(config.trainer.precision, device_of(config), **shapes, before=before)
