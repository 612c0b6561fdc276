"""REINFORCE (Williams 1992) with one baseline for all prompts: the mean reward of the batch.

    A_i = r_i − mean_j r_j          over all other completions j of the batch

Leaving the completion itself out keeps the gradient unbiased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tracelab.algorithms.base import Clipped, Equal, centred


@dataclass(frozen=True, kw_only=True)
class Reinforce(Clipped):
    """A group may be a single completion."""

    per: str = "constant"

    least_group = 1
    equal: ClassVar[Equal] = "keep"  # they move the baseline, and have an advantage of their own

    def advantages(self, rewards: Tensor) -> Tensor:
        """(prompts, group) -> the same. A single completion in all has the advantage 0."""
        n = rewards.numel()
        return centred(rewards.reshape(1, n)).reshape(rewards.shape) * n / max(n - 1, 1)
