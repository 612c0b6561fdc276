"""Post-training of a run, from its folder to a folder of its own. `tracelab.posttrain` is its command."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from tracelab.algorithms.base import Algorithm
from tracelab.core.types import Task
from tracelab.evaluation import curves, figures
from tracelab.evaluation.judging import judge_model, labels, metrics_of, trained_model
from tracelab.evaluation.outcomes import table_of
from tracelab.metrics.pass_at_k import PassAtK
from tracelab.models.base import Model
from tracelab.posttraining.groups import Sampler, Settings
from tracelab.posttraining.learner import PostLearner, Rounds
from tracelab.posttraining.updates import Updates
from tracelab.runs.build import build_task, precision_of
from tracelab.runs.entry import say
from tracelab.runs.folder import Run, claimed, machine
from tracelab.runs.sets import TestSets, problems, test_sets
from tracelab.training import accelerate
from tracelab.training.budget import build_budget
from tracelab.training.fitting import (
    Trained,
    check_vocabulary,
    checkpoint_of,
    conclude,
    finished_before,
    fit,
    resume_from,
)
from tracelab.training.processes import wished
from tracelab.training.validation import HeldOut

FEW = 4  # completions of a prompt
INHERITED = ("task", "trace", "model", "metric", "data", "loss", "eval", "names")  # from the source's config


def posttrain(config: DictConfig) -> Trained:
    """Post-train (or resume), evaluate, draw; or find that all this is done."""
    source = Run.open(config.run)
    config = inherited(config, source)
    with claimed(config.run_dir):
        return finished_before(config, "passes_after.json") or _posttrain(config, source)


def _posttrain(config: DictConfig, source: Run) -> Trained:
    if wished(config) > 1:
        raise ValueError("post-training uses one device: leave trainer.devices at 1, and trainer at auto")
    accelerate.start(config.threads)
    began = time.time()
    run = Run.start(config)
    precision = precision_of(run.config, checkpoint_of(run))
    say(str(precision))
    task = build_task(run.config)
    check_vocabulary(source.folder, task.codec.vocabulary)
    theirs = source.read_json("run.json")
    limits = {name: theirs[name] for name in ("parameters", "context", "max_new")}
    resume = resume_from(run, task.codec.vocabulary)
    model = trained_model(source, task, run.config.checkpoint, limits["context"])
    model.products = precision.products
    tests = test_sets(run.config, task)
    learner = build_learner(run.config, task, model, limits["max_new"])
    run.write_json("data_card.json", source.read_json("data_card.json"))
    made = {"source": str(source.folder), "precision": precision.as_dict()}
    record = {"seed": run.config.seed, **made, **limits, **machine()}
    run.write_json("run.json", {**record, "status": "training"})
    passes = build_passes(run, tests, limits["max_new"])
    if run.read_json("passes_before.json") is None:
        run.write_json("passes_before.json", passes(model))
    model.train()
    finished = fit(run, learner, (Rounds(),), resume, gradient_clip_val=None, limit_val_batches=0)
    metrics = conclude(run, record, learner.progress, finished, began, tests)
    if metrics is not None:
        run.write_json("passes_after.json", passes(model.eval()))
        draw(run)
    return Trained(run, metrics, "resumed" if resume else "finished")


def inherited(config: DictConfig, source: Run) -> DictConfig:
    """The config of a post-training with what it takes over from its source; what is given here wins."""
    whole = OmegaConf.create({name: source.config[name] for name in INHERITED if name in source.config})
    with open_dict(config):
        merged = OmegaConf.merge(whole, _without_nulls(config))
    assert isinstance(merged, DictConfig)
    merged.names.reward = "+".join(str(name) for name in config.reward)
    return merged


def _without_nulls(config: DictConfig) -> DictConfig:
    """A copy in which an inherited group's null says: as it was."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    for name in INHERITED:
        if name in plain:
            plain[name] = {k: v for k, v in (plain[name] or {}).items() if v is not None}
    return OmegaConf.create(plain)


def build_learner(config: DictConfig, task: Task, model: Model, max_new: int) -> PostLearner:
    """The learner with algorithm, rewards, sampler and what measures it. ValueError if they do not fit."""
    algorithm: Algorithm = instantiate(config.algorithm)
    settings = Settings(**{"max_new": max_new, **{k: v for k, v in config.rollout.items() if v is not None}})
    if settings.group < algorithm.least_group:
        raise ValueError(
            f"rollout.group={settings.group}: {type(algorithm).__name__} compares the completions of a "
            f"prompt; it needs {algorithm.least_group} at least"
        )
    if algorithm.least_group > 1 and settings.group < FEW:
        warnings.warn(
            f"rollout.group={settings.group}: of prompts that are solved once in five times, "
            f"{1 - 0.8**settings.group - 0.2**settings.group:.0%} of such small groups say anything; 8 to 16 "
            "completions of fewer prompts learn more from as many tokens",
            stacklevel=2,
        )
    rewards = {str(name): instantiate(reward) for name, reward in config.reward.items()}
    held_out = problems(config, task, "val", config.held_out.problems)
    reference = copy.deepcopy(model).requires_grad_(False) if algorithm.kl else None
    return PostLearner(
        model,
        algorithm,
        Sampler(task, rewards, settings, config.seed),
        optimizer=instantiate(config.optim.optimizer),
        schedule=instantiate(config.optim.schedule),
        budget=build_budget(config.budget),
        updates=Updates(**config.updates),
        held_out=HeldOut.of(config.eval, task, held_out, max_new),
        every=config.held_out.every,
        reference=reference,
        compile=config.compile,
    )


def build_passes(run: Run, tests: TestSets, max_new: int) -> Callable[[Model], dict[str, Any]]:
    """A function of a model: pass@k and maj@k on the in-distribution test set."""
    config = run.config.passes
    name, (task, examples) = next(iter(tests.items()))
    few = examples.take(np.arange(min(config.problems, len(examples))))
    settings = {"samples": config.samples, "temperature": config.temperature}
    sampled = OmegaConf.merge(run.config.eval, settings)
    assert isinstance(sampled, DictConfig)

    def measure(model: Model) -> dict[str, Any]:
        judged = judge_model(model, task, few, sampled, max_new)
        table = table_of(judged, task, {**labels(run), "split": name})
        return metrics_of(table, {"pass_at_k": PassAtK()}, task.levels)[name]

    return measure


def draw(run: Run) -> None:
    """Accuracy and validity against rounds; pass@k before and after."""
    folder = Path(run.folder) / "figures"
    names = run.config.names
    title = f"{names.task}, {names.trace}, {names.algorithm}, reward {names.reward}, seed {run.config.seed}"
    curves.post_training(folder / "post_training", run.folder / "metrics.csv", title)
    before, after = (run.read_json(f"passes_{when}.json") for when in ("before", "after"))
    if before:  # of one sample there is no curve
        figures.passes(folder / "pass_at_k", before, after, title)
