"""Checkpoints that a kill or a full disk cannot spoil: `last.ckpt` and `best.ckpt`.

A checkpoint is written beside its place, flushed to disk, and renamed: readers see the old file or
the new one, whole. Ctrl-C ends the step under way, writes `last.ckpt`, then interrupts; a second
Ctrl-C interrupts at once. Several processes stop after the same step, whichever of them was told to.
A checkpoint is written before the validation of its step: a run that ended between them validates first when
it is resumed.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from tracelab.training.processes import most


class Checkpoints(lightning.Callback):
    """`last.ckpt` every `every` steps, at the end and on Ctrl-C; `best.ckpt` at the least `monitor`."""

    def __init__(self, folder: str | Path, every: int = 1000, monitor: str = "val/loss") -> None:
        self.folder, self.every, self.monitor = Path(folder), every, monitor
        self.best = float("inf")
        self.validated = -1  # after which step
        self._saved = -1  # the step of last.ckpt
        self._told = 0  # the signal that came
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Let Ctrl-C wait for the end of a step.

        Of several processes SIGTERM, too: Lightning would tell the others from within the step under way.
        """
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT, *([signal.SIGTERM] if trainer.world_size > 1 else [])]
            self._handlers = {number: signal.signal(number, self._note) for number in numbers}
        if self._not_validated(trainer, learner):
            validate(trainer)

    def on_train_batch_end(self, trainer: lightning.Trainer, learner: Any, *_: Any) -> None:
        """Save when it is time to, or when this was the last step."""
        told, steps = most(self._told), learner.progress.steps
        due = steps % self.every == 0 and steps != self._saved
        if due or trainer.should_stop or told:
            self._save_last(trainer, learner)
        if told:
            raise KeyboardInterrupt if told == signal.SIGINT else SIGTERMException

    def on_validation_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Save the best model so far."""
        self.validated = learner.progress.steps
        value = trainer.callback_metrics.get(self.monitor, torch.inf)
        if not trainer.sanity_checking and value < self.best:
            self.best = float(value)
            save(trainer, self.folder / "best.ckpt")

    def on_train_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Save what something else than the budget has stopped."""
        if learner.progress.steps != self._saved:
            self._save_last(trainer, learner)
        self._restore_handlers()

    def on_exception(self, trainer: lightning.Trainer, learner: Any, exception: BaseException) -> None:
        """A job that is told to end (SIGTERM) has finished its step: save it. Others may be half-way."""
        if isinstance(exception, SIGTERMException) and learner.progress.steps != self._saved:
            self._save_last(trainer, learner)
        self._restore_handlers()

    def state_dict(self) -> dict[str, Any]:
        """The least value so far, and when it was last looked at."""
        return {"best": self.best, "validated": self.validated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.validated = state_dict["best"], state_dict.get("validated", -1)

    def _not_validated(self, trainer: lightning.Trainer, learner: Any) -> bool:
        """Has a run that is resumed not seen the validation that was due after its last step?"""
        steps, every = learner.progress.steps, trainer.val_check_batch
        if steps == 0 or steps == self.validated or not trainer.enable_validation:
            return False
        due = (trainer.fit_loop.epoch_loop.total_batch_idx + 1) % (every or 1) == 0
        return due or learner.budget.used(learner.progress) >= 1.0

    def _save_last(self, trainer: lightning.Trainer, learner: Any) -> None:
        self._saved = learner.progress.steps
        save(trainer, self.folder / "last.ckpt")

    def _note(self, number: int, _: Any) -> None:
        self._told = number
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


def validate(trainer: lightning.Trainer) -> None:
    """Validate before the first step, as Lightning does after one."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    loop.restarting = False
    trainer.validating = True
    loop.run()
    trainer.training = True


def save(trainer: lightning.Trainer, path: Path) -> None:
    """Write a checkpoint so that at every moment `path` is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    trainer.save_checkpoint(partial)
    if trainer.is_global_zero:
        _flush(partial)
        os.replace(partial, path)
        _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
