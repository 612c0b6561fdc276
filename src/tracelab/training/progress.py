"""One line on how training goes: share of the budget, losses, speed, time left.

It is rewritten in place on a terminal and printed now and then elsewhere (logs, notebooks).
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import lightning

from tracelab.core.terminal import columns
from tracelab.training.budget import Progress

WIDTH = 20  # characters of the bar
GAP = "  "
WINDOW = 1.0  # minutes of training that the speed is of: what a machine did an hour ago says little


class ProgressLine(lightning.Callback):
    """`seconds`: between lines where standard error is no terminal.

    To look at what a GPU has computed is to wait for it: its figures are those of the log's last line, where
    it was waited for anyway, or of the last validation.
    """

    def __init__(self, seconds: float = 20.0) -> None:
        self.seconds = seconds
        self._printed = 0.0
        self._figures: dict[str, float] = {}
        self._recent = Recent()

    def on_train_start(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Speed is counted from here on, whatever the run did before it was stopped."""
        self._recent = Recent()
        self._recent.pace(learner.progress, learner.used())

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
            pace = self._recent.pace(learner.progress, learner.used())
            text = line(learner, known, columns(sys.stderr) - 1 if terminal else None, pace)
            sys.stderr.write(f"\r\033[K{text}" if terminal else f"{text}\n")
            sys.stderr.flush()


class Recent:
    """How fast training has gone of late: over its last WINDOW minutes, or since it was begun or resumed."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, float]] = deque()

    def pace(self, progress: Progress, used: float) -> tuple[float, float]:
        """Tokens a minute, and the share of the budget a minute; both 0 where no time has gone by."""
        now = (progress.minutes, progress.tokens, used)
        self._seen.append(now)
        while len(self._seen) > 2 and now[0] - self._seen[1][0] >= WINDOW:
            self._seen.popleft()
        minutes, tokens, share = (after - before for after, before in zip(now, self._seen[0], strict=True))
        return (tokens / minutes, share / minutes) if minutes > 0 else (0.0, 0.0)


def figures(
    trainer: lightning.Trainer, learner: Any, known: Mapping[str, float] | None = None
) -> dict[str, float]:
    """What is logged of what the line shows, by its key. known: in place of what lies on a GPU."""
    logged = {key: trainer.callback_metrics.get(key) for key, _ in learner.shown.values()}
    there: dict[str, Any] = {key: value for key, value in logged.items() if value is not None}
    if known is not None:
        there = {key: known.get(key) if value.is_cuda else value for key, value in there.items()}
    return {key: float(value) for key, value in there.items() if value is not None}


def line(
    learner: Any,
    figures: Mapping[str, float],
    width: int | None = None,
    pace: tuple[float, float] = (0.0, 0.0),
) -> str:
    """`━━━━━━━━──────────── 42%  step 1,200  loss 0.312  val 0.298  right 95%  strict 88% ...`.

    figures: by key; width: characters that it may have. Where they are few, the bar goes first, then what
    is said last, but for the time that is left. pace: tokens and share of the budget a minute, from which
    the speed and the time that is left are told; neither is where it is 0.
    """
    progress, used = learner.progress, learner.used()
    parts = [f"{used:4.0%}", f"step {progress.steps:,}"]
    for name, (key, form) in learner.shown.items():
        if key in figures:
            parts.append(f"{name} {figures[key]:{form}}")
    left = []
    tokens, share = pace
    if share > 0:
        seconds = int(60 * (1 - used) / share)
        parts.append(f"{tokens / 60:,.0f} tokens/s")
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
