"""One experiment: data, model, training, evaluation, figures. `tracelab.train` is its command."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig
from torch import nn

from tracelab.batches.loader import FixedLoader, Loader, card
from tracelab.models.base import Model
from tracelab.models.precision import Precision
from tracelab.optim.muon import MuonAdamW
from tracelab.runs.build import build_model, build_task, precision_of
from tracelab.runs.checkpoints import load_progress
from tracelab.runs.entry import say
from tracelab.runs.folder import Run, claimed, machine
from tracelab.runs.sets import Sets, prepare, prepared, problems
from tracelab.training import accelerate
from tracelab.training.budget import Progress, build_budget, short_first
from tracelab.training.fitting import (
    Trained,
    checkpoint_of,
    conclude,
    finished_before,
    fit,
    resume_from,
)
from tracelab.training.learner import Learner
from tracelab.training.processes import in_shards, together, wished
from tracelab.training.validation import HeldOut, Validation


def train(config: DictConfig) -> Trained:
    """Train from scratch (or resume), evaluate, draw; or find that all this is done."""
    with claimed(config.run_dir):
        return finished_before(config) or _train(config)


def _train(config: DictConfig) -> Trained:
    shared = "strategy" in config.trainer or wished(config) > 1
    refuse_muon_in_shards(config)
    check_knobs(config)
    accelerate.start(config.threads)
    began = time.time()
    run = Run.start(config)
    precision = precision_of(run.config, checkpoint_of(run))
    say(str(precision))
    data = prepare(run.config)
    batches = card(data.train, run.config.data.batch_tokens, run.config.data.packing, run.config.seed)
    padding = f"{100 * batches['padding']:8.2f} % of {batches['batches']:,} batches"
    say(f"{data.summary}\n  {'padding':<22}{padding}")
    resume = resume_from(run, data.vocabulary)
    run.write_json("data_card.json", {**data.card, "batches": batches, "precision": precision.as_dict()})
    learner, loaders = build(run.config, data, data.context, precision)
    record = {
        "seed": run.config.seed,
        "parameters": sum(p.numel() for p in learner.model.parameters()),
        "context": data.context,
        "max_new": data.max_new,
        "precision": precision.as_dict(),
        **machine(),
    }
    run.write_json("run.json", {**record, "status": "training"})
    if in_shards(run.config) and run.config.validate_problems:
        say(
            "Accuracy and validity are not measured during training, for with trainer=fsdp no device "
            "holds the whole model."
        )
    if shared:
        progress, finished = fit_together(run)
    else:
        finished = fit_validated(run, learner, loaders, resume, data)
        progress = learner.progress
    metrics = conclude(run, record, progress, finished, began, data.tests)
    return Trained(run, metrics, "resumed" if resume else "finished")


def refuse_muon_in_shards(config: DictConfig) -> None:
    """ValueError if a config asks for both."""
    if in_shards(config) and get_object(config.optim.optimizer["_target_"]) is MuonAdamW:
        raise ValueError(
            "Muon orthogonalises whole matrices, of which trainer=fsdp leaves each process a shard: "
            "take optim=adamw, or trainer=ddp"
        )


def fit_together(run: Run) -> tuple[Progress, bool]:
    """Train in several processes -> how far they came, and is it finished?"""
    together(wished(run.config), take_part, str(run.folder))
    if not run.checkpoint().is_file():
        return Progress(), False
    progress = Progress(**load_progress(run.checkpoint()))
    return progress, build_budget(run.config.budget).used(progress) >= 1.0


def take_part(folder: str) -> None:
    """Train the run in a folder as one of several processes."""
    run = Run.open(folder)
    accelerate.start(run.config.threads, wished(run.config))
    record, data = run.read_json("run.json"), prepared(run.config)
    precision = Precision(**record["precision"])
    learner, loaders = build(run.config, data, record["context"], precision)
    fit_validated(run, learner, loaders, checkpoint_of(run), data)


def fit_validated(
    run: Run, learner: Learner, loaders: tuple[Loader, FixedLoader], resume: Path | None, data: Sets
) -> bool:
    """Train, with a look at losses and held-out problems every so many steps -> is it finished?"""
    held_out = build_held_out(run.config, data)
    callbacks = [] if held_out is None else [Validation(held_out)]
    return fit(run, learner, loaders, resume, callbacks, val_check_interval=run.config.validate_every)


def build_held_out(config: DictConfig, data: Sets) -> HeldOut | None:
    """The first problems of the validation set, or None if none are wished for.

    A completion may be half as long again as the longest that the set teaches for them: at first a model
    never stops, and as much as the test sets may need would take it several times as long.
    """
    if config.validate_problems < 1 or in_shards(config):
        return None
    task = build_task(config)
    first = np.arange(min(config.validate_problems, config.data.val_size))
    examples = problems(config, task, "val", config.data.val_size).take(first)
    longest = int((data.val.tokens.lengths - data.val.prompt)[first].max())
    limit = min(longest * 3 // 2, config.eval.max_new or longest * 3 // 2)
    return HeldOut.of(config.eval, task, examples, limit)


def build(
    config: DictConfig, data: Sets, context: int, precision: Precision | None = None
) -> tuple[Learner, tuple[Loader, FixedLoader]]:
    """The learner and its loaders. precision: None: as the config asks for."""
    model = build_model(config, data.vocabulary, context, precision)
    return build_learner(config, model), build_loaders(config, data, context)


def build_learner(config: DictConfig, model: Model) -> Learner:
    """The learner with its optimiser, schedule, budget and loss weights."""
    return Learner(
        model,
        optimizer=instantiate(config.optim.optimizer),
        schedule=instantiate(config.optim.schedule),
        budget=build_budget(config.budget),
        trace_weight=config.loss.trace_weight,
        solution_weight=config.loss.solution_weight,
        compile=config.compile,
        attention=config.attention,
    )


def build_loaders(config: DictConfig, data: Sets, context: int) -> tuple[Loader, FixedLoader]:
    """Loaders of the training and of the validation sequences."""
    sizes = {
        "batch_tokens": config.data.batch_tokens,
        "packing": config.data.packing,
        "context": context,
    }
    first = short_first(config, data.chunk(0).tokens.lengths)
    loader = Loader(data.chunk, **sizes, short_first=first, seed=config.seed)
    return loader, FixedLoader(data.val, **sizes)


def check_knobs(config: DictConfig) -> None:
    """ValueError if a knob of training is out of its range: before anything is drawn."""
    share = config.data.get("short_first") or 0.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"data.short_first={share} must be a share of the budget: 0 to 1, or null")
    model = get_object(config.model["_target_"])
    if config.data.packing is not None and not model.packs:
        raise ValueError(
            f"data.packing={config.data.packing}: {model.__name__} cannot keep packed documents apart; take "
            "data.packing=null"
        )
    if config.validate_problems < 0:
        raise ValueError(f"validate_problems={config.validate_problems} must be 0 (none) or more")
    instantiate(config.optim.optimizer)(nn.Linear(2, 2))  # it checks its own knobs
