"""How much of a trace comes before its first bad step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracelab.metrics.base import Estimate


@dataclass(frozen=True)
class FirstError:
    """Share of a trace's steps before the first that `level` rejects: 1 for a trace that passes, 0 for
    none. The interval is the mean's normal one.
    """

    level: str = "strict"

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> share_before_error."""
        at, steps = outcomes[f"trace_{self.level}_at"], outcomes["trace_steps"]
        before = np.where(outcomes[f"trace_{self.level}"], 1.0, np.minimum(at / np.maximum(steps, 1), 1.0))
        n = len(before)
        if n < 2:
            return {"share_before_error": Estimate(float("nan"), n, label=None, share=True)}
        mean, half = float(before.mean()), float(1.96 * before.std(ddof=1) / n**0.5)
        low, high = max(0.0, mean - half), min(1.0, mean + half)
        return {"share_before_error": Estimate(mean, n, low, high, label=None, share=True)}
