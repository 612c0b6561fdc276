"""One line on how training goes: share of the budget, losses, speed, time left.

It is rewritten in place on a terminal and printed now and then elsewhere (logs, notebooks).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning

from tracelab.core.terminal import columns

WIDTH = 20  # characters of the bar
GAP = "  "


class ProgressLine(lightning.Callback):
    """`seconds`: between lines where standard error is no terminal."""

    def __init__(self, seconds: float = 20.0) -> None:
        self.seconds = seconds
        self._printed = 0.0

    def on_train_batch_end(self, trainer: lightning.Trainer, learner: Any, *_: Any) -> None:
        """Show the line if it is time to."""
        if time.monotonic() - self._printed > (0.2 if sys.stderr.isatty() else self.seconds):
            self._show(trainer, learner)

    def on_train_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Leave the last line standing, with what the last validation found."""
        self._show(trainer, learner)
        if trainer.is_global_zero and sys.stderr.isatty():
            sys.stderr.write("\n")

    def _show(self, trainer: lightning.Trainer, learner: Any) -> None:
        self._printed = time.monotonic()
        if trainer.is_global_zero:
            terminal = sys.stderr.isatty()
            text = line(trainer, learner, columns(sys.stderr) - 1 if terminal else None)
            sys.stderr.write(f"\r\033[K{text}" if terminal else f"{text}\n")
            sys.stderr.flush()


def line(trainer: lightning.Trainer, learner: Any, width: int | None = None) -> str:
    """`━━━━━━━━──────────── 42%  step 1,200  loss 0.312  val 0.298  right 95%  strict 88% ...`.

    width: characters that it may have. Where they are few, the bar goes first, then what is said last, but
    for the time that is left.
    """
    progress, used = learner.progress, learner.used()
    parts = [f"{used:4.0%}", f"step {progress.steps:,}"]
    for name, (key, form) in learner.shown.items():
        if (value := trainer.callback_metrics.get(key)) is not None:
            parts.append(f"{name} {float(value):{form}}")
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
