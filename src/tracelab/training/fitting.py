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

from tracelab.core.files import read_json
from tracelab.evaluation import curves
from tracelab.evaluation.judging import evaluate
from tracelab.models.precision import name_of
from tracelab.runs.checkpoints import is_sharded, sound
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.sets import TestSets
from tracelab.runs.settings import Experiment
from tracelab.training.budget import Progress
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


def resume_from(run: Run, vocabulary: tuple[str, ...]) -> Path | None:
    """The checkpoint to go on from, if any. ValueError if it is of another vocabulary."""
    path = checkpoint_of(run)
    if path is not None:
        check_vocabulary(path.parents[1], vocabulary)
        check_shards(path, in_shards(run.settings.trainer))
        say(f"Resuming from {path}")
    run.write_json("vocab.json", list(vocabulary))
    return path


def checkpoint_of(run: Run) -> Path | None:
    """The checkpoint that is given, else the run's own, if it has one."""
    given = run.settings.ckpt_path
    if not given:
        return sound(run.checkpoint(), run.checkpoint("best"))
    path = Path(given)
    if not path.is_file():
        raise ValueError(f"ckpt_path={path}: there is no such file")
    return path


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
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # waits for GPUs; Checkpoints tells
    try:
        with warnings.catch_warnings():
            # what is logged is of all processes already
            for noise in (".*many workers.*", ".*LeafSpec.*is deprecated.*", ".*sync_dist=True.*"):
                warnings.filterwarnings("ignore", message=noise)
            trainer.fit(learner, *loaders, ckpt_path=resume, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        return False
    return not trainer.interrupted


def conclude(
    run: Run, record: dict[str, Any], progress: Progress, finished: bool, began: float, tests: TestSets
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
    metrics = evaluate(run, run.settings.eval, tests, run.folder)
    seconds["in all"] = time.time() - began
    run.write_json("run.json", {**record, "status": "evaluated"})
    return metrics
