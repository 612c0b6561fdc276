"""One experiment: data, model, training, evaluation, figures. `tracelab.train` is its command."""

from __future__ import annotations

import time

from hydra.utils import instantiate
from omegaconf import DictConfig

from tracelab import accelerate
from tracelab.data.batching import FixedLoader, Loader, card
from tracelab.entry import say
from tracelab.experiment import Data, build_model, prepare
from tracelab.fitting import Trained, build_budget, conclude, finished_before, fit, resume_from
from tracelab.learner import Learner
from tracelab.models.gpt import GPT
from tracelab.run import Run, claimed, machine


def train(config: DictConfig) -> Trained:
    """Train from scratch (or resume), evaluate, draw; or find that all this is done."""
    with claimed(config.run_dir):
        return finished_before(config) or _train(config)


def _train(config: DictConfig) -> Trained:
    accelerate.start(config.threads)
    began = time.time()
    run = Run.start(config)
    data = prepare(run.config)
    batches = card(data.train, run.config.data.batch_tokens, run.config.data.packing, run.config.seed)
    padding = f"{100 * batches['padding']:8.2f} % of {batches['batches']:,} batches"
    say(f"{data.summary}\n  {'padding':<22}{padding}")
    run.write_json("data_card.json", {**data.card, "batches": batches})
    resume = resume_from(run, data.vocabulary)
    model = build_model(run.config, data.vocabulary, data.context)
    learner = build_learner(run.config, model)
    record = {
        "seed": run.config.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "context": data.context,
        "max_new": data.max_new,
        **machine(),
    }
    run.write_json("run.json", {**record, "status": "training"})
    loaders = build_loaders(run.config, data, model.context)
    finished = fit(run, learner, loaders, resume, val_check_interval=run.config.validate_every)
    metrics = conclude(run, record, learner, finished, began, data.tests)
    return Trained(run, metrics, "resumed" if resume else "finished")


def build_learner(config: DictConfig, model: GPT) -> Learner:
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


def build_loaders(config: DictConfig, data: Data, context: int) -> tuple[Loader, FixedLoader]:
    """Of training and of validation."""
    sizes = {
        "batch_tokens": config.data.batch_tokens,
        "packing": config.data.packing,
        "context": context,
    }
    return Loader(data.chunk, **sizes, seed=config.seed), FixedLoader(data.val, **sizes)
