"""One line on how training goes: share of the budget, losses, speed, time left.

It is rewritten in place on a terminal and printed now and then elsewhere (logs, notebooks).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import lightning

from tracelab.core.terminal import columns

WIDTH = 20  # characters of the bar
GAP = "  "


class ProgressLine(lightning.Callback):
    """`seconds`: between lines where standard error is no terminal.

    To look at what a GPU has computed is to wait for it: its figures are those of the log's last line, where
    it was waited for anyway, or of the last validation.
    """

    def __init__(self, seconds: float = 20.0) -> None:
        self.seconds = seconds
        self._printed = 0.0
        self._figures: dict[str, float] = {}

    def on_train_batch_end(self, trainer: Any, learner: Any, *_: Any) -> None:
        """Show the line if it is time to."""
        if learner.progress.steps % trainer.log_every_n_steps == 0:
            self._figures = figures(trainer, learner)
        if time.monotonic() - self._printed > (0.2 if sys.stderr.isatty() else self.seconds):
            self._show(trainer, learner)

    def on_validation_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Keep what it found."""
        self._figures = figures(trainer, learner)

    def on_train_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Leave the last line standing, with what the last validation found."""
        self._figures = figures(trainer, learner)
        self._show(trainer, learner)
        if trainer.is_global_zero and sys.stderr.isatty():
            sys.stderr.write("\n")

    def _show(self, trainer: lightning.Trainer, learner: Any) -> None:
        self._printed = time.monotonic()
        if trainer.is_global_zero:
            terminal = sys.stderr.isatty()
            known = figures(trainer, learner, self._figures)
            text = line(learner, known, columns(sys.stderr) - 1 if terminal else None)
            sys.stderr.write(f"\r\033[K{text}" if terminal else f"{text}\n")
            sys.stderr.flush()


def figures(
    trainer: lightning.Trainer, learner: Any, known: Mapping[str, float] | None = None
) -> dict[str, float]:
    """What is logged of what the line shows, by its key. known: in place of what lies on a GPU."""
    logged = {key: trainer.callback_metrics.get(key) for key, _ in learner.shown.values()}
    there: dict[str, Any] = {key: value for key, value in logged.items() if value is not None}
    if known is not None:
        there = {key: known.get(key) if value.is_cuda else value for key, value in there.items()}
    return {key: float(value) for key, value in there.items() if value is not None}


def line(learner: Any, figures: Mapping[str, float], width: int | None = None) -> str:
    """`━━━━━━━━──────────── 42%  step 1,200  loss 0.312  val 0.298  right 95%  strict 88% ...`.

    figures: by key; width: characters that it may have. Where they are few, the bar goes first, then what
    is said last, but for the time that is left.
    """
    progress, used = learner.progress, learner.used()
    parts = [f"{used:4.0%}", f"step {progress.steps:,}"]
    for name, (key, form) in learner.shown.items():
        if key in figures:
            parts.append(f"{name} {figures[key]:{form}}")
    left = []
    if progress.minutes and used:
        seconds = int(60 * progress.minutes * (1 / used - 1))
        parts.append(f"{progress.tokens / progress.minutes / 60:,.0f} tokens/s")
        left = [f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"]
    whole = f"{bar(used)} {GAP.join(parts + left)}"
    if width is None or len(whole) <= width:
        return whole
    while len(GAP.join(parts + left)) > width and len(parts) > 1:
        parts.pop()
    return GAP.join(parts + left)[:width]


def bar(used: float) -> str:
    """The share as a bar."""
    full = round(WIDTH * used)
    return "━" * full + "─" * (WIDTH - full)
