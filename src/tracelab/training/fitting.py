"""What training and post-training share: fitting under Lightning, and the end."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
from hydra.utils import instantiate

from tracelab.evaluation import curves
from tracelab.evaluation.judging import evaluate
from tracelab.models.precision import name_of
from tracelab.runs.checkpoints import load_progress
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.sets import TestSets
from tracelab.runs.settings import Experiment
from tracelab.training.budget import Progress, build_budget
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.devices import Devices
from tracelab.training.processes import own_environment, together, wished
from tracelab.training.progress import ProgressLine
from tracelab.training.resuming import Before

# What Lightning warns of: what is logged is of all processes already, and not every run on SLURM wants srun.
NOISES = (
    ".*many workers.*",
    ".*LeafSpec.*is deprecated.*",
    ".*sync_dist=True.*",
    ".*`srun` command is available.*",
)


def fit(
    run: Run,
    learner: Any,
    loaders: tuple[Any, ...],
    resume: Path | None,
    began: float,
    callbacks: Sequence[lightning.Callback] = (),
    **options: Any,
) -> bool:
    """Train under Lightning -> is it finished? (Not if something else than its budget has stopped it.)

    loaders: of training and, if any, of validation; began: when this session did, by time.monotonic;
    callbacks: beside those of every run; options: of the trainer, beside those of its config (loggers, too).
    """
    experiment = run.settings
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    lightning.seed_everything(experiment.seed, verbose=False)
    trainer = instantiate(
        experiment.trainer,
        precision=name_of(learner.model.products),
        default_root_dir=str(run.folder),
        callbacks=[
            *callbacks,
            Checkpoints(run.folder / "checkpoints", every=experiment.checkpoint_every, began=began),
            ProgressLine(),
        ],
        **({} if "plugins" in experiment.trainer else {"plugins": [own_environment()]}),
        **{"val_check_interval": 1, **options},  # without validation it means nothing, and a share is refused
    )
    for logger in trainer.loggers:
        logger.log_hyperparams(run.config)
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # waits for GPUs; Checkpoints tells
    try:
        with warnings.catch_warnings():
            for noise in NOISES:
                warnings.filterwarnings("ignore", message=noise)
            trainer.fit(learner, *loaders, ckpt_path=resume, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        return False
    return not trainer.interrupted and learner.used() >= 1.0


def reached(learner: Any, resume: Path | None) -> Progress:
    """How far a training is: as far as its checkpoint, where Ctrl-C came before that was loaded."""
    before = Progress() if resume is None else Progress(**load_progress(resume))
    return before if before.steps > learner.progress.steps else learner.progress


def is_shared(experiment: Experiment) -> bool:
    """Does it train in several processes, or in one of its own?"""
    return "strategy" in experiment.trainer or wished(experiment.trainer) > 1


def fit_together(run: Run, take_part: Callable[[str], bool]) -> tuple[Progress, bool]:
    """Train in several processes -> how far they came, and is it finished? take_part: of the run's folder."""
    undisturbed = together(wished(run.settings.trainer), take_part, str(run.folder))
    if not run.checkpoint().is_file():
        return Progress(), False
    progress = Progress(**load_progress(run.checkpoint()))
    return progress, undisturbed and build_budget(run.settings.budget).used(progress) >= 1.0


def conclude(
    run: Run,
    record: dict[str, Any],
    progress: Progress,
    finished: bool,
    began: float,
    tests: TestSets,
    went: Before | None,
) -> dict[str, Any] | None:
    """Record how it went; judge the model if it is finished -> the metrics.

    began: when this session did, by time.monotonic; seconds are those of all sessions that led here.
    """
    before = went.seconds if went else {"training": 0.0, "judging": 0.0}
    ended = time.monotonic()
    seconds = {
        "training": before["training"] + ended - began,
        "of that, held-out problems": curves.seconds(run.folder),
        "judging": before["judging"],
    }
    record |= {"progress": asdict(progress), "seconds": seconds}
    if not finished:
        run.write_json("run.json", {**record, "status": "interrupted"})
        say(
            f"Stopped after {progress.tokens:,} tokens; nothing is lost.\n"
            f"  evaluate: python -m tracelab.evaluate run={run.folder}\n"
            f"  resume:   the same command with run_dir={run.folder}"
        )
        return None
    run.write_json("run.json", {**record, "status": "trained"})
    if went is not None and went.steps == progress.steps:
        say(f"No step was taken: the checkpoint had used the whole budget, at step {went.steps}.")
    call = Devices(run.settings.trainer, run.settings.threads)
    metrics = evaluate(run, run.settings.eval, tests, run.folder, call)
    seconds["judging"] += time.monotonic() - ended
    seconds["in all"] = seconds["training"] + seconds["judging"]
    run.write_json("run.json", {**record, "status": "evaluated"})
    return metrics
