"""1 for a trace that is valid at a level; or, as a process reward, how far it is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.settings import Finite
from tracelab.rewards.base import Graded, level_of


@dataclass(frozen=True)
class Trace:
    """level: of validity. process: does an invalid trace of n steps get good / (n + 1), good being the steps
    before its first bad one? (n + 1, so that one with n good steps that ends badly has less than 1.)
    """

    bounds: ClassVar = (0.0, 1.0)

    weight: Finite = 1.0
    level: str = "strict"
    process: bool = False

    def __call__(self, graded: Graded) -> NDArray[np.float64]:
        """0 to 1; a completion without steps gets 0."""
        k = level_of(graded.levels, self.level)
        ok, steps = graded.verdicts.trace_ok[:, k], graded.verdicts.steps
        if not self.process:
            return ok.astype(np.float64)
        good = np.where(ok, steps, np.clip(graded.verdicts.trace_at[:, k], 0, steps))
        return np.where(ok, 1.0, good / np.maximum(steps + 1, 1))
