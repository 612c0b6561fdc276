"""What a config's parts describe, built: task, model, optimiser, and the number format of its products.

Treatments, which may ask another run's model, are built in `runs.treatments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate

from tracelab.core.knobs import one_of
from tracelab.core.settings import Part, typed
from tracelab.core.types import Task
from tracelab.runs.settings import Experiment
from tracelab.traces.base import Treatment

if TYPE_CHECKING:
    import torch

    from tracelab.models.base import Model
    from tracelab.models.precision import Precision

COMPONENTS = ("task", "trace", "model", "optim", "algorithm", "reward")  # of a config, whose knobs have types
WIDTH = 128  # of products that are measured for a model that states no width


def build(name: str, part: Part, **more: Any) -> Any:
    """The component that a config's part describes. name: of the part; more: arguments that no config has.

    ValueError names each knob that is wrong.
    """
    checked = typed(name, part, get_object(part["_target_"]))
    try:
        return instantiate(checked, **more, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):  # its own words, without Hydra's around them
            raise error.__cause__ from None
        raise


def as_written(config: dict[str, Any]) -> dict[str, Any]:
    """A config for a run's config.yaml: 1.0 where a component's knob is a fraction and 1 was given, 50 where
    it is a whole number and 5e1 was given, so that two spellings are one arm.
    """
    return config | {name: _as_due(config[name]) for name in COMPONENTS if name in config}


def _as_due(config: Any) -> Any:
    if isinstance(config, list):
        return [_as_due(inner) for inner in config]
    if not isinstance(config, dict):
        return config
    inner = {name: _as_due(value) for name, value in config.items()}
    if "_target_" not in inner:
        return inner
    numbers = {name: value for name, value in inner.items() if type(value) in (int, float, list, dict)}
    return inner | typed("", numbers, get_object(inner["_target_"]))


def build_task(part: Part) -> Task:
    """The task that a config's part describes."""
    task: Task = build("task", part)
    return task


def build_model(
    part: Part,
    vocabulary: tuple[str, ...],
    context: int,
    seed: int,
    precision: Precision,
    treatment: Treatment | None = None,
) -> Model:
    """The model that a config's part describes, initialised from the seed.

    context: the longest sequence that it takes; precision: of its matrix products; treatment: what it is
    trained on, which may want it to think in latents.
    """
    shape = {name: value for name, value in part.items() if name != "context"}
    model: Model = build("model", shape, vocab_size=len(vocabulary), context=context, seed=seed)
    if treatment is not None and treatment.thinks is not None:
        from tracelab.models.latent import thinking

        model = thinking(model, *treatment.thinks, seed=seed)
    model.products = precision.products
    return model


def build_metrics(parts: Mapping[str, Part], task: Task) -> dict[str, Any]:
    """The metrics that a config's parts describe, by name. ValueError: a knob or a level that is wrong."""
    metrics = {name: build(f"metric.{name}", part) for name, part in parts.items()}
    check_levels("metric", metrics, task)
    return metrics


def check_levels(kind: str, parts: Mapping[str, Any], task: Task) -> None:
    """ValueError if a metric or reward asks for a level that the task's traces are not judged at."""
    for name, part in parts.items():
        if (level := getattr(part, "level", None)) is not None:
            one_of(f"{kind}.{name}.level", level, task.levels)


def build_optim(parts: Mapping[str, Part]) -> dict[str, Any]:
    """optimizer: a function of a model; schedule: of progress, the factor of the learning rate."""
    return {name: build(f"optim.{name}", parts[name]) for name in ("optimizer", "schedule")}


def device_of(trainer: Part) -> torch.device:
    """Where a model computes: a GPU, if there is one and trainer.accelerator does not say cpu."""
    import torch

    cpu = trainer["accelerator"] == "cpu" or not torch.cuda.is_available()
    return torch.device("cpu" if cpu else "cuda")


def precision_of(
    experiment: Experiment,
    resumed: Path | None = None,
    wished: str | None = None,
    trained: str | None = None,
) -> Precision:
    """The precision of an experiment on this machine.

    resumed: a checkpoint, whose precision is kept; wished: in place of trainer.precision; trained: that of a
    run whose model is asked, which is kept where this machine has units for it.
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
    wished = wished or trainer["precision"]
    return choose(wished, device_of(trainer), **shapes, before=before, trained=trained)
