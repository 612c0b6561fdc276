"""One line on how training goes: share of the budget, losses, speed, time left.

It is rewritten in place on a terminal and printed now and then elsewhere (logs, notebooks).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning

WIDTH = 20  # characters of the bar


class ProgressLine(lightning.Callback):
    """`seconds`: between lines where standard error is no terminal."""

    def __init__(self, seconds: float = 20.0) -> None:
        self.seconds = seconds
        self._printed = 0.0

    def on_train_batch_end(self, trainer: lightning.Trainer, learner: Any, *_: Any) -> None:
        """Show the line if it is time to."""
        terminal = sys.stderr.isatty()
        due = time.monotonic() - self._printed > (0.2 if terminal else self.seconds)
        if trainer.is_global_zero and (due or trainer.should_stop):
            self._printed = time.monotonic()
            text = line(trainer, learner)
            sys.stderr.write(f"\r\033[K{text}" if terminal else f"{text}\n")
            sys.stderr.flush()

    def on_train_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Leave the last line standing."""
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def line(trainer: lightning.Trainer, learner: Any) -> str:
    """`━━━━━━━━──────────── 42%  step 1,200  loss 0.312  val 0.298  51,200 tokens/s  0:03:10 left`."""
    progress, used = learner.progress, learner.budget.used(learner.progress)
    parts = [f"{bar(used)} {used:4.0%}", f"step {progress.steps:,}"]
    values = {name: trainer.callback_metrics.get(key) for name, key in learner.shown.items()}
    parts += [f"{name} {float(value):.4f}" for name, value in values.items() if value is not None]
    if progress.minutes and used:
        left = int(60 * progress.minutes * (1 / used - 1))
        parts.append(f"{progress.tokens / progress.minutes / 60:,.0f} tokens/s")
        parts.append(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
    return "  ".join(parts)


def bar(used: float) -> str:
    """The share as a bar."""
    full = round(WIDTH * used)
    return "━" * full + "─" * (WIDTH - full)
