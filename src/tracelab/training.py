"""One experiment: data, model, training, evaluation, figures. `tracelab.train` is its command."""

from __future__ import annotations

import json
import logging
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
from hydra.utils import instantiate
from omegaconf import DictConfig

from tracelab import accelerate
from tracelab.budget import Budget
from tracelab.checkpoint import Checkpoints
from tracelab.data.batching import FixedLoader, Loader
from tracelab.entry import say
from tracelab.evaluation import evaluate
from tracelab.experiment import Data, build_model, prepare
from tracelab.learner import Learner
from tracelab.models.gpt import GPT
from tracelab.progress import ProgressLine
from tracelab.run import Run, machine


@dataclass(frozen=True)
class Trained:
    """What `train` leaves behind. metrics: None if Ctrl-C came before they were measured."""

    run: Run
    metrics: dict[str, Any] | None


def train(config: DictConfig) -> Trained:
    """Train from scratch (or resume), evaluate, draw."""
    accelerate.start(config.threads)
    began = time.time()
    run = Run.start(config)
    data = prepare(run.config)
    say(data.summary)
    run.write_json("data_card.json", data.card)
    resume = resume_from(run, data)
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
    finished = fit(run, learner, data, resume)
    record |= {"progress": asdict(learner.progress), "seconds": {"training": time.time() - began}}
    if not finished:
        run.write_json("run.json", {**record, "status": "interrupted"})
        say(
            f"Stopped after {learner.progress.tokens:,} tokens; nothing is lost.\n"
            f"  evaluate: python -m tracelab.evaluate run={run.folder}\n"
            f"  resume:   the same command with run_dir={run.folder}"
        )
        return Trained(run, None)
    run.write_json("run.json", {**record, "status": "trained"})
    metrics = evaluate(run, run.config.eval, data.tests, run.folder)
    record["seconds"]["in all"] = time.time() - began
    run.write_json("run.json", {**record, "status": "evaluated"})
    return Trained(run, metrics)


def build_learner(config: DictConfig, model: GPT) -> Learner:
    """The learner with its optimiser, schedule, budget and loss weights."""
    amounts = {unit: config.budget[unit] for unit in ("tokens", "steps", "minutes", "examples")}
    if all(amount is None for amount in amounts.values()):
        amounts["tokens"] = config.budget.default_tokens
    whole = {k: v if v is None or k == "minutes" else int(v) for k, v in amounts.items()}
    return Learner(
        model,
        optimizer=instantiate(config.optim.optimizer),
        schedule=instantiate(config.optim.schedule),
        budget=Budget(**whole),
        trace_weight=config.loss.trace_weight,
        solution_weight=config.loss.solution_weight,
        compile=config.compile,
    )


def resume_from(run: Run, data: Data) -> Path | None:
    """The checkpoint to go on from, if any. ValueError if it is of another vocabulary."""
    given = run.config.ckpt_path
    path = Path(given) if given else run.checkpoint()
    if given and not path.is_file():
        raise ValueError(f"ckpt_path={path}: there is no such file")
    words = list(data.vocabulary)
    beside = path.parents[1] / "vocab.json" if path.is_file() else None
    if beside is not None and beside.is_file():
        theirs = json.loads(beside.read_text())
        if theirs != words:
            raise ValueError(
                f"{path} is a checkpoint of another vocabulary (it has {len(theirs)} words, this task "
                f"{len(words)}): take the task.format, task.size and task.largest that it was trained with"
            )
    run.write_json("vocab.json", words)
    return path if path.is_file() else None


def fit(run: Run, learner: Learner, data: Data, resume: Path | None) -> bool:
    """Train under Lightning -> is it finished? (Not if Ctrl-C stopped it.)"""
    config = run.config
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    lightning.seed_everything(config.seed, verbose=False)
    context, batch_tokens = learner.model.context, config.data.batch_tokens
    loader = Loader(data.chunk, batch_tokens=batch_tokens, context=context, seed=config.seed)
    val_loader = FixedLoader(data.val, batch_tokens=batch_tokens, context=context)
    trainer = instantiate(
        config.trainer,
        default_root_dir=str(run.folder),
        logger=[instantiate(logger) for logger in config.logger.values()],
        callbacks=[Checkpoints(run.folder / "checkpoints", every=config.checkpoint_every), ProgressLine()],
        val_check_interval=config.validate_every,
    )
    if resume is not None:
        say(f"Resuming from {resume}")
    try:
        with warnings.catch_warnings():
            for noise in (".*does not have many workers.*", ".*LeafSpec.*is deprecated.*"):
                warnings.filterwarnings("ignore", message=noise)
            trainer.fit(learner, loader, val_loader, ckpt_path=resume, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        return False
    return not trainer.interrupted
