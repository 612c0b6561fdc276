"""Learning-rate schedules: functions of (steps done, share of the budget used) -> factor on the rate.

The share may be of tokens, steps, examples, minutes or FLOPs, so a schedule is written once for all budgets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tracelab.core.settings import Number, Share


@dataclass(frozen=True)
class Linear:
    """Warm up over `warmup` steps, hold, fall linearly to `floor` over the last `decay` of the budget."""

    warmup: Number = 100
    decay: Share = 0.5
    floor: Share = 0.0

    def __call__(self, steps: int, used: float) -> float:
        """The factor, in [0, 1]: 0 at the end of the budget where `floor` is."""
        left = min(1.0, (1.0 - used) / self.decay) if self.decay else 1.0
        return _warm(steps, self.warmup) * (self.floor + (1.0 - self.floor) * left)


@dataclass(frozen=True)
class Cosine:
    """Warm up over `warmup` steps, then fall to `floor` along half a cosine over the whole budget."""

    warmup: Number = 100
    floor: Share = 0.1

    def __call__(self, steps: int, used: float) -> float:
        """The factor, in [0, 1]: `floor` at the end of the budget."""
        left = 0.5 * (1.0 + math.cos(math.pi * used))
        return _warm(steps, self.warmup) * (self.floor + (1.0 - self.floor) * left)


def _warm(steps: int, warmup: int) -> float:
    return min(1.0, (steps + 1) / (warmup + 1))
