"""One experiment: data, model, training, evaluation, figures. `tracelab.train` is its command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import get_object
from lightning import Callback
from lightning.pytorch.loggers import Logger

from tracelab.batches.loader import FixedLoader, Loader, card, check_lengths, layout_of
from tracelab.core.knobs import one_of
from tracelab.core.settings import read
from tracelab.core.terminal import counted
from tracelab.models.attention import KERNELS
from tracelab.models.base import Model
from tracelab.models.precision import Precision
from tracelab.optim.muon import MuonAdamW
from tracelab.runs.build import build, build_task, device_of, precision_of
from tracelab.runs.checkpoints import load_attention
from tracelab.runs.claims import claimed
from tracelab.runs.ended import Trained, finished_before
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.identity import own_id, with_checksums
from tracelab.runs.machine import machine
from tracelab.runs.sets import Data, Sets, prepare, prepared, problems
from tracelab.runs.settings import in_shards
from tracelab.runs.students import pinned
from tracelab.runs.test_sets import effective, fitted
from tracelab.training import accelerate
from tracelab.training.budget import short_first
from tracelab.training.budgeted import build_recipe
from tracelab.training.checks import (
    check,
    check_attention,
    check_best,
    check_devices,
    check_losses,
    check_ranking,
    check_stream,
    check_turns,
)
from tracelab.training.curriculum import BeginAnew
from tracelab.training.fitting import (
    conclude,
    fit,
    fit_together,
    is_shared,
    reached,
)
from tracelab.training.initial import build_initial, origin, with_source
from tracelab.training.latents import LatentLearner
from tracelab.training.launched import led
from tracelab.training.learner import Learner
from tracelab.training.ordering import check_order, in_turn
from tracelab.training.processes import wished_here
from tracelab.training.ranking import RankingLearner
from tracelab.training.resuming import Before, before, begin, resume_from
from tracelab.training.settings import Training
from tracelab.training.teaching import Taught, check_kept, check_teacher, teaching
from tracelab.training.tracking import tracking
from tracelab.training.validation import HeldOut, Validation


def train(experiment: Training) -> Trained:
    """Train from scratch (or resume), evaluate, draw; or find that all this is done."""
    experiment = fitted(experiment, say)
    check_parts(experiment)
    experiment = with_checksums(with_source(effective(experiment, say)))
    return led(experiment, lambda: _claimed(experiment))


def _claimed(experiment: Training) -> Trained:
    with claimed(experiment.run_dir):
        went = before(experiment)
        return finished_before(experiment) or _train(experiment, went)


def _train(experiment: Training, went: Before | None) -> Trained:
    check_devices(experiment.trainer)
    check_attention(experiment)
    accelerate.start(experiment.threads)
    began = time.monotonic()
    check_kept(experiment, went)
    student = pinned(experiment.trace, went.record if went else None)
    run = begin(experiment, went)
    precision = precision_of(experiment, went.checkpoint if went else None)
    say(str(precision))
    data = prepare(experiment, **(went.room if went else {}))
    for sequences in (data.train, data.val):
        check_lengths(sequences, data.context)
    describe(run, experiment, data, precision)
    resume = resume_from(run, data.vocabulary, went)
    model = build_initial(experiment, data.vocabulary, data.context, precision, resume is not None)
    record = {
        "id": own_id(run),
        **origin(experiment, went.record if went else {}),
        **(went.as_dict() if went else {}),
        **student,
        "seed": experiment.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "context": data.context,
        "max_new": data.max_new,
        "precision": precision.as_dict(),
        **machine(),
    }
    run.write_json("run.json", {**record, "status": "training"})
    with tracking(run) as loggers:
        if is_shared(experiment):
            progress, finished = fit_together(run, take_part)
        else:
            learner = build_learner(experiment, model)
            finished = fit_validated(run, experiment, learner, data, resume, began, loggers)
            progress = reached(learner, resume)
        if experiment.data.teacher is not None:
            record["moves"] = run.read_json("run.json").get("moves", [])
        if experiment.data.packing is not None and run.checkpoint().is_file():
            record["attention"] = load_attention(run.checkpoint())
        metrics = conclude(run, record, progress, finished, began, data.tests, went)
    return Trained(run, metrics, "resumed" if resume else "finished")


def check_parts(experiment: Training) -> None:
    """ValueError if parts do not go together, or refuse their knobs: before anything is drawn."""
    check_stream(experiment.data)
    check_ranking(experiment, check(experiment))
    check_turns(experiment)
    check_order(experiment)
    check_teacher(experiment)
    check_losses(experiment)
    check_best(experiment)
    one_of("attention", experiment.attention, ("auto", *KERNELS))
    model = get_object(experiment.model["_target_"])
    packing = experiment.data.packing
    layout_of(experiment.data.batch_tokens, packing)  # it checks its own knobs
    if packing is not None and not model.packs:
        raise ValueError(
            f"data.packing={packing}: {model.__name__} cannot keep packed documents apart; take "
            "data.packing=null"
        )
    optimizer = experiment.optim["optimizer"]
    if in_shards(experiment.trainer) and get_object(optimizer["_target_"]) is MuonAdamW:
        raise ValueError(
            "Muon orthogonalises whole matrices, of which trainer=fsdp leaves each process a shard: "
            "take optim=adamw, or trainer=ddp"
        )


def describe(run: Run, experiment: Training, data: Data, precision: Precision) -> None:
    """Say and write what is trained on: the data card."""
    batches = card(data.train, experiment.data.batch_tokens, experiment.data.packing, experiment.seed)
    padding = f"{100 * batches['padding']:8.2f} % of {counted(batches['batches'], 'batch')}"
    say(f"{data.summary}\n  {'padding':<22}{padding}")
    run.write_json("data_card.json", {**data.card, "batches": batches, "precision": precision.as_dict()})
    if in_shards(experiment.trainer) and experiment.validate_problems:
        say(
            "Accuracy and validity are not measured during training, for with trainer=fsdp no device "
            "holds the whole model."
        )


def take_part(folder: str) -> bool:
    """Train the run in a folder as one of several processes -> is it finished?"""
    run = Run.open(folder)
    experiment = read(Training, run.config)
    accelerate.start(experiment.threads, wished_here(experiment.trainer))
    began = time.monotonic()
    record, data = run.read_json("run.json"), prepared(experiment)
    precision = Precision(**record["precision"])
    went = before(experiment)
    model = build_initial(experiment, data.vocabulary, record["context"], precision, went is not None)
    learner, resume = build_learner(experiment, model), went.checkpoint if went else None
    with tracking(run) as loggers:
        return fit_validated(run, experiment, learner, data, resume, began, loggers)


def fit_validated(
    run: Run,
    experiment: Training,
    learner: Learner,
    data: Sets,
    resume: Path | None,
    began: float,
    loggers: list[Logger],
) -> bool:
    """Train, with a look at losses and held-out problems every so many steps -> is it finished?"""
    budgets = run.read_json("run.json").get("extended_from", ())
    loaders = build_loaders(experiment, data, learner.model.context, budgets)
    callbacks: list[Callback] = []
    if experiment.data.teacher is not None:
        callbacks.append(teaching(experiment, run))
    elif (held_out := build_held_out(experiment, data)) is not None:
        callbacks.append(Validation(held_out))
    if data.turns and experiment.data.teacher is None:
        callbacks.append(BeginAnew())
    batches = experiment.validate_every * experiment.trainer.get("accumulate_grad_batches", 1)
    return fit(run, learner, loaders, resume, began, callbacks, logger=loggers, val_check_interval=batches)


def build_held_out(experiment: Training, data: Sets) -> HeldOut | None:
    """The first problems of the validation set, or None if none are wished for.

    A completion may be half as long again as the longest that the set teaches for them: at first a model
    never stops, and as much as the test sets may need would take it several times as long.
    """
    if experiment.validate_problems < 1 or in_shards(experiment.trainer):
        return None
    size = experiment.data.val_size
    first = np.arange(min(experiment.validate_problems, size))
    task = build_task(experiment.task)
    examples = problems(experiment, task, "val", size).take(first)
    longest = int((data.val.tokens.lengths - data.val.prompt)[first].max()) * 3 // 2
    limit = min(longest, experiment.eval.max_new or longest)
    return HeldOut.of(experiment.eval, task, examples, limit)


def build_learner(experiment: Training, model: Model) -> Learner:
    """The learner with its recipe and loss weights."""
    recipe, loss = build_recipe(experiment), experiment.loss
    options: dict[str, Any] = {"compile": experiment.compile, "attention": experiment.attention}
    if loss.of_latents:
        decoder = build_decoder(experiment, model) if loss.step_weight else None
        return LatentLearner(model, recipe, decoder, loss, **options)
    if loss.ranking_weight:
        return RankingLearner(model, recipe, loss, **options)
    return Learner(model, recipe, loss.trace_weight, loss.solution_weight, **options)


def build_decoder(experiment: Training, model: Model) -> Model:
    """What decodes the steps that latents stand for: the model as it is, but for what feeds latents."""
    shape = {name: value for name, value in experiment.model.items() if name != "context"}
    sizes = {"vocab_size": model.vocab_size, "context": model.context}
    decoder: Model = build("model", shape, **sizes, seed=experiment.seed)
    weights = model.state_dict()
    decoder.load_state_dict({name: weights[name] for name in decoder.state_dict()})
    return decoder


def build_loaders(
    experiment: Training, data: Sets, context: int, before: Sequence[str] = ()
) -> tuple[Loader, FixedLoader]:
    """Loaders of the training and of the validation sequences. before: budgets that the run had."""
    sizes: dict[str, Any] = {
        "batch_tokens": experiment.data.batch_tokens,
        "packing": experiment.data.packing,
        "context": context,
    }
    chunk, pins = data.chunk, device_of(experiment.trainer).type == "cuda"
    fixed = FixedLoader(data.val, **sizes)
    if experiment.data.teacher is not None:
        levels = [chunk for _, chunk in data.turns]
        return Taught(levels, **sizes, seed=experiment.seed, pins=pins), fixed
    if data.turns:
        chunk = in_turn(experiment, data.turns, before)
    first = short_first(experiment, chunk(0).tokens.lengths, before)
    return Loader(chunk, **sizes, short_first=first, seed=experiment.seed, pins=pins), fixed
