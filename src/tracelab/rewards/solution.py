"""1 for a valid solution (the published reward), or for an optimal one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.settings import Finite
from tracelab.rewards.base import Graded


@dataclass(frozen=True)
class Solution:
    """optimal: must it be optimal too?"""

    bounds: ClassVar = (0.0, 1.0)

    weight: Finite = 1.0
    optimal: bool = False

    def __call__(self, graded: Graded) -> NDArray[np.float64]:
        """0 or 1."""
        verdicts = graded.verdicts
        return (verdicts.solution_optimal if self.optimal else verdicts.solution_valid).astype(np.float64)
