"""What training and post-training share: the budget, fitting under Lightning, resuming, and the end."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
from hydra.utils import instantiate

from tracelab import loggers
from tracelab.core.files import read_json
from tracelab.evaluation import curves
from tracelab.evaluation.judging import evaluate
from tracelab.models.precision import name_of
from tracelab.runs.checkpoints import is_sharded, load_progress, sound
from tracelab.runs.entry import say
from tracelab.runs.folder import Run, differences, is_run
from tracelab.runs.knobs import FREE_TO_CHANGE
from tracelab.runs.sets import TestSets
from tracelab.runs.settings import Experiment
from tracelab.training.budget import Progress, extended
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.processes import in_shards, own_environment
from tracelab.training.progress import ProgressLine


@dataclass(frozen=True)
class Trained:
    """What a command leaves behind. metrics: None if Ctrl-C came before they were measured.

    state: finished; resumed, if it was begun before; skipped, if it was finished before.
    """

    run: Run
    metrics: dict[str, Any] | None
    state: str


def finished_before(experiment: Experiment, last: str = "metrics.json") -> Trained | None:
    """The run that is asked for, if its folder holds it already. last: the file that is written last."""
    run = Run.finished(experiment)
    if run is None or not (run.folder / last).is_file():
        return None
    return Trained(run, run.read_json("metrics.json")["test sets"], "skipped")


@dataclass(frozen=True)
class Before:
    """What a run goes on from: a checkpoint of its own or of itself in another folder.

    steps: that were taken; budgets: that it had before the one it has now.
    """

    checkpoint: Path
    steps: int
    budgets: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """What run.json says of it: nothing, if the budget is what it was."""
        return {"extended_from": list(self.budgets)} if self.budgets else {}


def before(experiment: Experiment) -> Before | None:
    """What an experiment goes on from, if anything. ValueError if it is given and is no part of it."""
    given = experiment.ckpt_path
    if given and not Path(given).is_file():
        raise ValueError(f"ckpt_path={given}: there is no such file")
    own = Path(experiment.run_dir) / "checkpoints"
    path = Path(given) if given else sound(own / "last.ckpt", own / "best.ckpt")
    if path is None:
        return None
    source = _run_of(path) if given else Run.open(experiment.run_dir)
    check_same_run(source, experiment)
    record = source.read_json("run.json") or {}
    budgets = [*record.get("extended_from", []), extended(source.settings.budget, experiment.budget)]
    return Before(path, load_progress(path)["steps"], tuple(filter(None, budgets)))


def begin(experiment: Experiment, went: Before | None) -> Run:
    """Take the run's folder. ValueError if a run of another config lives there.

    Before config.yaml says what is asked for now, run.json says that it is not done yet, and which budgets
    there were: whatever ends the run in between, what it was is not taken for what it is to be.
    """
    folder = Path(experiment.run_dir)
    if is_run(folder):
        own = Run.open(folder)
        own.check_same(experiment)
        extension = {} if went is None else went.as_dict()
        own.write_json("run.json", {**own.read_json("run.json"), **extension, "status": "training"})
    return Run.start(experiment)


def _run_of(checkpoint: Path) -> Run:
    try:
        return Run.open(checkpoint.parents[1])
    except ValueError:
        raise ValueError(
            f"ckpt_path={checkpoint} lies in no run's folder, so nobody can tell whether it is of this run: "
            f"init_from={checkpoint} begins a new run with its weights"
        ) from None


def check_same_run(source: Run, experiment: Experiment) -> None:
    """ValueError if ckpt_path is of another run than the one that is to go on."""
    different = differences(source.config, experiment.as_dict(), FREE_TO_CHANGE)
    if experiment.ckpt_path and different:
        raise ValueError(
            f"ckpt_path={experiment.ckpt_path} is of another run (it differs in {', '.join(different)}): "
            f"init_from={experiment.ckpt_path} begins a new run with its weights"
        )


def resume_from(run: Run, vocabulary: tuple[str, ...], went: Before | None) -> Path | None:
    """The checkpoint to go on from, if any. ValueError if it is of another vocabulary."""
    if went is not None:
        check_vocabulary(went.checkpoint.parents[1], vocabulary)
        check_shards(went.checkpoint, in_shards(run.settings.trainer))
        say(f"Resuming from {went.checkpoint}")
    run.write_json("vocab.json", list(vocabulary))
    return None if went is None else went.checkpoint


def check_vocabulary(folder: Path, vocabulary: tuple[str, ...]) -> None:
    """ValueError if the run in a folder was trained on other words."""
    path = folder / "vocab.json"
    theirs = read_json(path) or list(vocabulary)
    if theirs != list(vocabulary):
        raise ValueError(
            f"{folder} holds a checkpoint of another vocabulary (it has {len(theirs)} words, this task "
            f"{len(vocabulary)}): take the task and the task.format, task.size and task.reach that it was "
            "trained with"
        )


def check_shards(path: Path, wished: bool) -> None:
    """ValueError if a checkpoint is of FSDP and FSDP is not wished for, or the other way round."""
    sharded = is_sharded(path)
    if sharded != wished:
        raise ValueError(
            f"{path} was written {'with' if sharded else 'without'} trainer=fsdp, which names the "
            "optimiser's state in another way: go on with the trainer that it was begun with"
        )


def fit(
    run: Run,
    learner: Any,
    loaders: tuple[Any, ...],
    resume: Path | None,
    callbacks: Sequence[lightning.Callback] = (),
    **options: Any,
) -> bool:
    """Train under Lightning -> is it finished? (Not if Ctrl-C stopped it.)

    loaders: of training and, if any, of validation; callbacks: beside those of every run; options: of the
    trainer, beside those of its config.
    """
    experiment = run.settings
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    lightning.seed_everything(experiment.seed, verbose=False)
    environment = own_environment()
    trainer = instantiate(
        experiment.trainer,
        precision=name_of(learner.model.products),
        default_root_dir=str(run.folder),
        logger=[instantiate(logger, _convert_="all") for logger in experiment.logger.values()],
        callbacks=[
            *callbacks,
            Checkpoints(run.folder / "checkpoints", every=experiment.checkpoint_every),
            ProgressLine(),
        ],
        **({} if "plugins" in experiment.trainer else {"plugins": [environment]}),
        **options,
    )
    for logger in trainer.loggers:
        logger.log_hyperparams(run.config)
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # waits for GPUs; Checkpoints tells
    done = False
    try:
        with warnings.catch_warnings():
            # what is logged is of all processes already
            for noise in (".*many workers.*", ".*LeafSpec.*is deprecated.*", ".*sync_dist=True.*"):
                warnings.filterwarnings("ignore", message=noise)
            trainer.fit(learner, *loaders, ckpt_path=resume, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        return False
    else:
        done = not trainer.interrupted
    finally:
        loggers.finish(trainer.loggers, failed=not done)
    return done


def conclude(
    run: Run,
    record: dict[str, Any],
    progress: Progress,
    finished: bool,
    began: float,
    tests: TestSets,
    went: Before | None,
) -> dict[str, Any] | None:
    """Record how it went; judge the model if it is finished -> the metrics."""
    seconds = {"training": time.time() - began, "of that, held-out problems": curves.seconds(run.folder)}
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
    metrics = evaluate(run, run.settings.eval, tests, run.folder)
    seconds["in all"] = time.time() - began
    run.write_json("run.json", {**record, "status": "evaluated"})
    return metrics
