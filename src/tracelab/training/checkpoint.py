"""Checkpoints that a kill or a full disk cannot spoil: `last.ckpt` and `best.ckpt`.

A checkpoint is written beside its place, flushed to disk, and renamed: readers see the old file or
the new one, whole. Ctrl-C, and what batch systems send before they kill (SIGTERM, SIGHUP, SIGUSR1), ends the
step or the validation under way, writes `last.ckpt`, then interrupts; a second one interrupts at once.
Several processes stop after the same step, whichever of them was told to. A step of several batches
(trainer.accumulate_grad_batches) is not interrupted: what they have added up is in no checkpoint.
A checkpoint is written before the validation of its step: a run that ended between them validates first when
it is resumed. The log's row of that step comes after it, too, so the checkpoint has it for a resume to write.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException

from tracelab.loggers.rows import CSV
from tracelab.runs.checkpoints import best_of, load_progress, save, seconds_of
from tracelab.runs.signals import heeded
from tracelab.training.processes import most


class Checkpoints(lightning.Callback):
    """`last.ckpt` every `every` steps, at the end and on Ctrl-C; `best.ckpt` at the least `monitor`.

    began: when this session did, by time.monotonic; None: now. A checkpoint has the seconds of all sessions
    that led to it.
    """

    def __init__(
        self, folder: str | Path, every: int = 1000, monitor: str = "val/loss", began: float | None = None
    ) -> None:
        self.folder, self.every, self.monitor = Path(folder), every, monitor
        self.best = float("inf")
        self.began, self.seconds_before = time.monotonic() if began is None else began, 0.0
        self.validated = -1  # after which step
        self.row: dict[str, float] = {}  # of the log, which is written after the checkpoint of its step
        self._saved = -1  # the step of last.ckpt
        self._told = 0  # the signal that came
        self._handlers: dict[int, Any] = {}

    def setup(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Let checkpoints be written and read by us, whatever paths look like to Lightning."""
        trainer.strategy.checkpoint_io = LocalFiles()

    def on_train_start(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Let signals wait for the end of a step, and sweep up what a kill has left half-written."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in heeded()}
        if trainer.is_global_zero:
            for left in self.folder.glob("*.partial"):
                left.unlink()
        if self.row:
            make_up(trainer, self.row, learner.progress.steps - 1)
        self.best = trainer.strategy.broadcast(self._best_here(learner.progress.steps))
        if self._not_validated(trainer, learner):
            validate(trainer)

    def on_train_batch_start(self, trainer: lightning.Trainer, learner: Any, *_: Any) -> None:
        """Number the log's rows by the steps: Lightning counts one less after a validation's checkpoint."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = learner.progress.steps

    def on_train_batch_end(self, trainer: lightning.Trainer, learner: Any, *_: Any) -> None:
        """Save when it is time to, or when this was the last step."""
        if trainer.fit_loop.epoch_loop._should_accumulate():
            return
        self.row = row_of(trainer) or self.row
        steps = learner.progress.steps
        if (steps % self.every == 0 and steps != self._saved) or trainer.should_stop:
            self._save_last(trainer, learner)
        self._stop_if_told(trainer, learner)

    def on_validation_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Save the best model so far."""
        self.validated = learner.progress.steps
        value = trainer.callback_metrics.get(self.monitor, torch.inf)
        if not trainer.sanity_checking and value < self.best:
            self.best = float(value)
            trainer.save_checkpoint(self.folder / "best.ckpt")
        self._stop_if_told(trainer, learner)

    def on_train_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Save what something else than the budget has stopped."""
        if learner.progress.steps != self._saved:
            self._save_last(trainer, learner)
        self._stop_if_told(trainer, learner)
        self._restore_handlers()

    def on_exception(self, trainer: lightning.Trainer, learner: Any, exception: BaseException) -> None:
        """A job that is told to end (SIGTERM) has finished its step: save it. Others may be half-way."""
        if isinstance(exception, SIGTERMException) and learner.progress.steps != self._saved:
            self._save_last(trainer, learner)
        self._restore_handlers()

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, learner: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Keep how long it took, in all sessions."""
        checkpoint["seconds"] = self.seconds_before + time.monotonic() - self.began

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, learner: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Go on with the seconds, too."""
        self.seconds_before = seconds_of(checkpoint)

    def state_dict(self) -> dict[str, Any]:
        """The least value so far, when it was last looked at, and the log's latest row."""
        return {"best": self.best, "validated": self.validated, "row": self.row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.validated = state_dict["best"], state_dict.get("validated", -1)
        self.row = state_dict.get("row", {})

    def _best_here(self, steps: int) -> float:
        """The value of the best checkpoint that lies here, which may have been written after `last.ckpt`.

        One of later steps than so many, which are taken again, is none to beat.
        """
        path = self.folder / "best.ckpt"
        if not path.is_file():
            return float("inf")
        with suppress(ValueError):  # of a damaged one
            if load_progress(path)["steps"] <= steps:
                return min(self.best, best_of(path, self.state_key))
        return self.best

    def _not_validated(self, trainer: lightning.Trainer, learner: Any) -> bool:
        """Has a run that is resumed not seen the validation that was due after its last step?"""
        steps, every = learner.progress.steps, trainer.val_check_batch
        if steps == 0 or steps == self.validated or not trainer.enable_validation:
            return False
        due = (trainer.fit_loop.epoch_loop.total_batch_idx + 1) % (every or 1) == 0
        return due or learner.used() >= 1.0

    def _stop_if_told(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Save and stop, if a signal came to this process or to another one."""
        told = most(self._told)
        if told:
            if learner.progress.steps != self._saved:
                self._save_last(trainer, learner)
            raise KeyboardInterrupt if told == signal.SIGINT else SIGTERMException

    def _save_last(self, trainer: lightning.Trainer, learner: Any) -> None:
        self._saved = learner.progress.steps
        trainer.save_checkpoint(self.folder / "last.ckpt")

    def _note(self, number: int, _: Any) -> None:
        self._told = number
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


def row_of(trainer: lightning.Trainer) -> dict[str, float]:
    """What Lightning is about to log of the step that has ended; nothing, if that step is not logged."""
    connector = trainer._logger_connector
    if not connector.should_update_logs or not (figures := connector.metrics["log"]):
        return {}
    numbers = {name: float(value) for name, value in figures.items()}
    step = trainer.fit_loop.epoch_loop._batches_that_stepped
    return {"step": step, "epoch": trainer.current_epoch, **numbers}


def make_up(trainer: lightning.Trainer, row: dict[str, float], last: int) -> None:
    """Write the row that a checkpoint has into metrics.csv: what ended the run may have come before it.

    last: the checkpoint's step, as the log numbers it; the row may be of an earlier one.
    """
    step, epoch = int(row["step"]), {"epoch": row["epoch"]}
    figures = {name: value for name, value in row.items() if name not in ("step", "epoch")}
    for logger in trainer.loggers:
        if isinstance(logger, CSV):
            logger.go_on(last, step, figures | epoch)


def validate(trainer: lightning.Trainer) -> None:
    """Validate before the first step, as Lightning does after one."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    loop.restarting = False
    trainer.validating = True
    loop.run()
    trainer.training = True


class LocalFiles(CheckpointIO):
    """Checkpoints as files of this machine, whole at every moment. (Lightning's own go through fsspec, which
    takes some names for addresses, and through the folder of temporary files.)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint beside its place, which it then takes."""
        save(Path(path), checkpoint)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint: tensors and plain values. (A pickle could run code.)"""
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return content

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink()
