"""What an experiment asks for, checked before anything is drawn or written: each part is built, or looked at.

check(experiment)       # ValueError names the knob
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

import lightning
from hydra.utils import get_object
from lightning.pytorch.accelerators import AcceleratorRegistry
from pydantic import Strict
from torch import nn

from tracelab.core.knobs import one_of
from tracelab.core.settings import Count, Number, Part, Positive, read, settings, typed
from tracelab.core.types import Task
from tracelab.loggers import check_installed
from tracelab.models.kernels import NEEDS_GPU, ON_GPUS
from tracelab.models.latent import FEEDS
from tracelab.models.precision import check_name
from tracelab.runs.build import build_metrics, build_optim, build_task, device_of
from tracelab.runs.ranking import check_words, twins_of
from tracelab.runs.settings import Data, Experiment, no_copies
from tracelab.runs.treatments import build_treatment
from tracelab.training.curriculum import quotas
from tracelab.training.devices import check_count
from tracelab.training.processes import wished
from tracelab.training.resuming import latest
from tracelab.training.settings import Training

# What would end a training before or after its budget is used, and the values (null too) that limit nothing.
# What ends it before leaves no way to go on.
LIMITS: dict[str, object] = {
    "max_steps": -1,
    "max_time": None,
    "min_steps": None,
    "min_epochs": None,
    "limit_train_batches": 1.0,  # all; 1 is one batch
    "overfit_batches": 0.0,
    "fast_dev_run": False,
}
# Knobs of the loss that say how something is done that only a weight asks for.
OF_WEIGHTS = {
    "ranking_weight": ("ranking_bound", "ranking_rate", "ranking_kind"),
    "distillation_weight": ("teacher_weight",),
}
Whole = Annotated[Count, Strict()]  # 2, not 2.0, on which Lightning fails


@settings
class Ranges:
    """What Lightning's Trainer takes and only fails on later. max_epochs: -1 for no end; gradient_clip_val:
    None for no clipping.
    """

    gradient_clip_val: Positive | None = None
    max_epochs: Whole | Literal[-1] | None = None
    check_val_every_n_epoch: Whole | None = None
    num_sanity_val_steps: Annotated[Number, Strict()] = 0
    log_every_n_steps: Whole = 1
    accumulate_grad_batches: Whole = 1


def check(experiment: Experiment) -> Task:
    """The experiment's task. ValueError if a part refuses its knobs, or parts do not go together."""
    gone = experiment.ckpt_path and not Path(experiment.ckpt_path).is_file()
    if gone and latest(experiment.run_dir) is None:
        raise ValueError(f"ckpt_path={experiment.ckpt_path}: there is no such file")
    task = build_task(experiment.task)
    build_treatment(experiment.trace).check(task)
    check_model(experiment.model)
    build_optim(experiment.optim)["optimizer"](nn.Linear(2, 2))  # it checks its own knobs
    check_trainer(experiment.trainer)
    build_metrics(experiment.metric, task)
    for name, logger in experiment.logger.items():
        check_installed(logger["_target_"])
        typed(f"logger.{name}", logger, get_object(logger["_target_"]))
    _ = experiment.data.drawn_by
    no_copies("eval.", experiment.eval.samples, experiment.eval.temperature)
    return task


def check_model(part: Part) -> None:
    """ValueError if there can be no model of this shape."""
    model = get_object(part["_target_"])
    given = {name: value for name, value in part.items() if name != "context" or value is not None}
    model.check(**{name: value for name, value in typed("model", given, model).items() if name != "_target_"})


def check_trainer(part: Part) -> None:
    """ValueError if the trainer's knobs are none of Lightning's, or mean nothing."""
    check_name(part["precision"])
    if "val_check_interval" in part:
        raise ValueError(
            "trainer.val_check_interval has no effect: validate_every says how often to validate"
        )
    if (algorithm := part.get("gradient_clip_algorithm")) not in (None, "norm"):
        raise ValueError(
            f"trainer.gradient_clip_algorithm={algorithm} has no effect: gradients are clipped by their "
            "norm, at trainer.gradient_clip_val"
        )
    if part.get("barebones"):
        raise ValueError("trainer.barebones=true leaves out checkpoints and the log, which a run needs")
    if part.get("gradient_clip_val") == 0:
        raise ValueError(
            "trainer.gradient_clip_val=0 would leave nothing of any gradient: take null for no clipping"
        )
    for knob, free in LIMITS.items():
        if part.get(knob) is not None and repr(part[knob]) != repr(free):
            raise ValueError(
                f"trainer.{knob}={part[knob]}: a budget ends training: take budget.steps or minutes"
            )
    typed("trainer", {name: value for name, value in part.items() if name != "precision"}, lightning.Trainer)
    one_of("trainer.accelerator", part["accelerator"], ("auto", "gpu", *AcceleratorRegistry))
    wished(part)
    try:
        read(Ranges, {field.name: part[field.name] for field in fields(Ranges) if field.name in part})
    except ValueError as error:
        raise ValueError(f"trainer.{error}") from None


def check_stream(data: Data) -> None:
    """ValueError if an endless stream is to have no problem twice. (Earlier versions let it pass.)"""
    if data.online and data.distinct:
        raise ValueError(
            "data.online=true draws new problems for ever, and does not leave out those that it had: take "
            "data.distinct=false, or data.online=false for a set in which no problem stands twice"
        )


def check_ranking(experiment: Experiment, task: Task) -> None:
    """ValueError if traces are to be ranked that are not all valid, or batches cannot have twins."""
    if not experiment.loss.ranking_weight:
        return
    name, data = f"trace={experiment.names.trace}", experiment.data
    if data.files is not None or build_treatment(experiment.trace).promise != "valid":
        raise ValueError(
            f"loss.ranking_weight ranks valid traces above damaged ones, and not all of {name} are valid"
            f"{'' if data.files is None else ' in data.files'}: take trace=correct or chosen, without files"
        )
    if data.packing is not None or wished(experiment.trainer) > 1:
        raise ValueError(
            "loss.ranking_weight compares each row of a batch with its twin: take data.packing=null and one "
            "device (trainer.devices=1)"
        )
    check_words(task)
    twins_of(experiment.loss).check(task)


def check_turns(experiment: Training) -> None:
    """ValueError if budget, batches or devices do not go with a treatment that changes, or with latents."""
    treatment = build_treatment(experiment.trace)
    name, packing = f"trace={experiment.names.trace}", experiment.data.packing
    if turns := treatment.in_turn():
        quotas(experiment, [turn.share for turn in turns])
    if treatment.thinks is not None and packing is not None:
        raise ValueError(
            f"data.packing={packing}: {name} has latents, which are computed row by row; take "
            "data.packing=null"
        )
    if treatment.thinks is not None and wished(experiment.trainer) > 1:
        raise ValueError(
            f"{name} has latents, whose number differs between the shares of a batch, so that several "
            "devices would wait for each other: leave trainer.devices at 1, and trainer at auto"
        )


def check_losses(experiment: Training) -> None:
    """ValueError if no token would have a weight, a knob has no effect, or something is asked of latents
    that are not there, or not made so.
    """
    loss, treatment = experiment.loss, build_treatment(experiment.trace)
    for weight, knobs in OF_WEIGHTS.items():
        set_ = [knob for knob in knobs if getattr(loss, knob) is not None]
        if set_ and not getattr(loss, weight):
            raise ValueError(f"loss.{set_[0]} has no effect without loss.{weight}: give both, or neither")
    thinks = treatment.thinks
    if loss.solution_weight == 0 and not treatment.writes:
        raise ValueError(
            f"loss.solution_weight=0: trace={experiment.names.trace} writes no trace, so that no token would "
            "have a weight; give solutions one, such as loss.solution_weight=1"
        )
    if loss.of_latents and thinks is None:
        raise ValueError(
            "loss.step_weight and loss.distillation_weight ask something of latents, and "
            f"trace={experiment.names.trace} has none here: take trace=latent, or leave them out"
        )
    if loss.step_weight and thinks is not None and not FEEDS[thinks.feedback].made_of_state:
        raise ValueError(
            f"loss.step_weight={loss.step_weight}: latents of trace.feedback={thinks.feedback} are not made "
            "of states: take recycled or projected"
        )


def check_best(experiment: Training) -> None:
    """ValueError if a run is to be judged by its best weights, or led by a teacher, and none is validated."""
    trainer = experiment.trainer
    if experiment.eval.checkpoint == "best":
        why = "no weights are known to be the best: leave it out, or take eval.checkpoint=last"
    elif experiment.data.teacher is not None:
        why = "data.teacher never goes on: leave it out, or take data.teacher=null"
    else:
        return
    never = {
        "limit_val_batches": trainer.get("limit_val_batches") == 0,
        "check_val_every_n_epoch": trainer.get("check_val_every_n_epoch") not in (None, 1),
    }
    for knob in (knob for knob, does in never.items() if does):
        raise ValueError(f"trainer.{knob}={trainer[knob]}: nothing would be validated, so that {why}")


def check_devices(trainer: Part) -> None:
    """ValueError if this machine lacks what a trainer is to compute on. A run that is finished needs none."""
    kind, asked = trainer["accelerator"], trainer["devices"]
    kinds = ("cuda", "mps") if kind == "gpu" else (kind,)
    if kind != "auto" and not any(AcceleratorRegistry[each]["accelerator"].is_available() for each in kinds):
        raise ValueError(
            f"trainer.accelerator={kind}: torch finds none on this machine (python -m tracelab.doctor says "
            "what it finds): take trainer=cpu, or auto for what there is"
        )
    if isinstance(asked, list) and device_of(trainer).type == "cpu":
        raise ValueError(
            f"trainer.devices={asked} says which GPUs, and this run would compute on the CPU: say how many "
            f"processes, trainer.devices={len(asked)}"
        )
    check_count(trainer)


def check_attention(experiment: Training) -> None:
    """ValueError if rows are packed and the kernel that is asked for does not run here."""
    on_cpu = device_of(experiment.trainer).type == "cpu"
    if experiment.data.packing is not None and experiment.attention in ON_GPUS and on_cpu:
        raise ValueError(NEEDS_GPU.format(experiment.attention))
