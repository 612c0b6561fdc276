"""Post-training of a run, from its folder to a folder of its own. `tracelab.posttrain` is its command."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import Logger

from tracelab.algorithms.base import Algorithm
from tracelab.core.settings import read
from tracelab.core.types import Task
from tracelab.evaluation import curves, figures
from tracelab.evaluation.judging import trained_model
from tracelab.models.precision import Precision
from tracelab.posttraining.checks import check_group, check_reach, check_settings
from tracelab.posttraining.groups import Sampler
from tracelab.posttraining.learner import NOTHING_LEARNED, PostLearner, Rounds
from tracelab.posttraining.passes import (
    AFTER,
    BEFORE,
    build_passes,
    compared,
    forget,
    keep,
    measure_before,
    note_problems,
)
from tracelab.posttraining.settings import PostTraining
from tracelab.runs.build import build, build_task, check_levels, precision_of
from tracelab.runs.checkpoints import load_progress, load_updates
from tracelab.runs.claims import claimed
from tracelab.runs.ended import Trained, finished_before
from tracelab.runs.entry import say
from tracelab.runs.folder import Run, is_run
from tracelab.runs.identity import lineage, own_id
from tracelab.runs.machine import machine
from tracelab.runs.sets import problems, test_sets
from tracelab.runs.test_sets import effective
from tracelab.runs.trained import check_as_begun, settled
from tracelab.training import accelerate
from tracelab.training.budget import Progress, build_budget
from tracelab.training.budgeted import build_recipe
from tracelab.training.checks import check, check_devices
from tracelab.training.fitting import (
    conclude,
    fit,
    fit_together,
    is_shared,
    reached,
)
from tracelab.training.launched import led
from tracelab.training.processes import wished_here
from tracelab.training.resuming import Before, before, begin, check_vocabulary, resume_from
from tracelab.training.tracking import tracking
from tracelab.training.validation import HeldOut

LIMITS = ("parameters", "context", "max_new")  # of the source's model


def posttrain(experiment: PostTraining) -> Trained:
    """Post-train (or resume), evaluate, draw; or find that all this is done."""
    check_parts(experiment)
    experiment = effective(experiment, say)
    return led(experiment, lambda: _claimed(experiment))


def _claimed(experiment: PostTraining) -> Trained:
    with claimed(experiment.run_dir):
        went = before(experiment)
        return finished_before(experiment, AFTER) or _posttrain(experiment, went)


def _posttrain(experiment: PostTraining, went: Before | None) -> Trained:
    check_devices(experiment.trainer)
    source = Run.open(experiment.run)
    accelerate.start(experiment.threads)
    began = time.monotonic()
    made = origin(experiment, source, went)
    if is_run(Path(experiment.run_dir)):
        note_problems(Run.open(experiment.run_dir))
    run = begin(experiment, went)
    for name in (AFTER, *(() if went else (BEFORE,))):
        forget(run, name)  # of other weights, from here on
    precision = precision_of(experiment, went.checkpoint if went else None)
    say(str(precision))
    task = build_task(experiment.task)
    check_vocabulary(source.folder, task.codec.vocabulary)
    resume = resume_from(run, task.codec.vocabulary, went)
    tests = test_sets(experiment, task)
    learner = build_learner(experiment, task, precision, made)
    run.write_json("data_card.json", source.read_json("data_card.json"))
    made |= {"precision": precision.as_dict(), **(went.as_dict() if went else {})}
    record = {"id": own_id(run), "seed": experiment.seed, **made, **machine()}
    run.write_json("run.json", {**record, "status": "training"})
    passes = build_passes(run, experiment, tests, precision, made)
    measure_before(run, source, experiment, passes)
    with tracking(run) as loggers:
        if is_shared(experiment):
            progress, finished = fit_together(run, take_part)
            updates = load_updates(run.checkpoint()) if progress.steps else 0
        else:
            finished = fit_rounds(run, learner, resume, began, loggers)
            progress = reached(learner, resume)
            updates = max(learner.made, load_updates(resume) if resume else 0)
        silent = progress.steps > 0 and updates == 0
        if silent:
            warnings.warn(NOTHING_LEARNED, stacklevel=2)
        record |= {"updates": updates, "warning": NOTHING_LEARNED if silent else None}
        metrics = conclude(run, record, progress, finished, began, tests, went)
        if metrics is not None:
            measured = passes(run, "last")
            draw(run, measured.estimates)
            keep(run, AFTER, measured)  # last, for it says that all is done
    return Trained(run, metrics, "resumed" if resume else "finished")


def origin(experiment: PostTraining, source: Run, went: Before | None) -> dict[str, Any]:
    """What run.json says of the source, and the limits that its model has: as they were at a run's start.

    Of these, tokens of a completion are as many as the run's own evaluation asks for at its start.
    ValueError if another process trains the source; or if it was trained on since, and what is resumed needs
    it: for the KL divergence of rounds that are left, or for pass@k before.
    """
    now = source.read_json("run.json")
    found = {"ancestors": lineage(source), **{name: now[name] for name in LIMITS}}
    found["source"] = str(source.folder)
    if went is None:
        found["max_new"] = experiment.eval.limit(now)
        return {**found, "began": settled(source, experiment.checkpoint)}
    begun = Run.open(went.checkpoint.parents[1])
    measured = (Path(experiment.run_dir) / BEFORE).is_file()
    left = build_budget(experiment.budget).used(Progress(**load_progress(went.checkpoint))) < 1
    if (left and build("algorithm", experiment.algorithm).kl) or not measured:
        check_as_begun(begun, source)
    noted = begun.read_json("run.json")
    known = {name: noted[name] for name in ("ancestors", *LIMITS) if name in noted}
    return {**found, **known, "began": noted.get("began")}


def take_part(folder: str) -> bool:
    """Post-train the run in a folder as one of several processes -> is it finished?"""
    run = Run.open(folder)
    experiment = read(PostTraining, run.config)
    accelerate.start(experiment.threads, wished_here(experiment.trainer))
    began = time.monotonic()
    record, went = run.read_json("run.json"), before(experiment)
    precision = Precision(**record["precision"])
    learner = build_learner(experiment, build_task(experiment.task), precision, record, torch.device("cpu"))
    with tracking(run) as loggers:
        return fit_rounds(run, learner, went.checkpoint if went else None, began, loggers)


def fit_rounds(
    run: Run, learner: PostLearner, resume: Path | None, began: float, loggers: list[Logger]
) -> bool:
    """Post-train, round after round -> is it finished?"""
    learner.model.train()
    options: dict[str, Any] = {"gradient_clip_val": None, "limit_val_batches": 0}
    return fit(run, learner, (Rounds(),), resume, began, logger=loggers, **options)


def check_parts(experiment: PostTraining) -> None:
    """ValueError if parts do not go together, or refuse their knobs: before anything is drawn."""
    task = check(experiment)
    check_settings(experiment)
    algorithm, rewards = build("algorithm", experiment.algorithm), build_rewards(experiment)
    check_group(experiment.rollout, algorithm)
    check_levels("reward", rewards, task)
    check_reach(rewards, algorithm)
    Sampler(task, rewards, replace(experiment.rollout, max_new=1), experiment.seed)  # it checks its knobs


def build_rewards(experiment: PostTraining) -> dict[str, Any]:
    """The rewards by name."""
    return {name: build(f"reward.{name}", part) for name, part in experiment.reward.items()}


def build_learner(
    experiment: PostTraining,
    task: Task,
    precision: Precision,
    limits: Mapping[str, Any],
    device: torch.device | None = None,
) -> PostLearner:
    """The learner with the source's model, algorithm, rewards, sampler and what measures it.

    limits: as run.json has them. device: where its model begins; None: where models compute.
    """
    source, max_new = Run.open(experiment.run), limits["max_new"]
    model = trained_model(source, task, experiment.checkpoint, limits["context"], device)
    model.products = precision.products
    algorithm: Algorithm = build("algorithm", experiment.algorithm)
    asked = experiment.rollout
    rollout = replace(asked, max_new=asked.max_new or max_new, equal=asked.equal or algorithm.equal)
    held_out = problems(experiment, task, "val", experiment.held_out.problems)
    reference = copy.deepcopy(model).requires_grad_(False) if algorithm.kl else None
    return PostLearner(
        model,
        build_recipe(experiment),
        algorithm,
        Sampler(task, build_rewards(experiment), rollout, experiment.seed),
        updates=experiment.updates,
        held_out=HeldOut.of(experiment.eval, task, held_out, max_new),
        every=experiment.held_out.every,
        reference=reference,
        compile=experiment.compile,
    )


def draw(run: Run, after: Mapping[str, Any]) -> None:
    """Accuracy and validity against rounds; pass@k before and after. after: as it was measured last."""
    folder = Path(run.folder) / "figures"
    names = run.settings.names
    title = f"{names.task}, {names.trace}, {names.algorithm}, reward {names.reward}, seed {run.settings.seed}"
    curves.post_training(folder / "post_training", run.folder / "metrics.csv", title)
    before, after = compared(run, after)
    if after:  # of one sample there is no curve
        figures.passes(folder / "pass_at_k", before, after, title)
