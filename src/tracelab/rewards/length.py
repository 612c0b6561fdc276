"""A penalty on length: by what share a completion exceeds the reference's. Cut-off ones count in full."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelab.core.settings import Finite, Weight
from tracelab.rewards.base import Graded


@dataclass(frozen=True)
class Length:
    """free: multiples of the reference's length without penalty; cap: the largest penalty."""

    weight: Finite = 1.0
    free: Weight = 1.0
    cap: Weight = 1.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest."""
        return -self.cap, 0.0

    def __call__(self, graded: Graded) -> NDArray[np.float64]:
        """-cap to 0."""
        excess = graded.lengths / np.maximum(graded.reference_lengths, 1) - self.free
        return -np.where(graded.truncated, self.cap, np.clip(excess, 0.0, self.cap))
