"""RLOO: REINFORCE with the mean of a prompt's other completions as baseline.

    A_i = r_i − mean_{j ≠ i} r_j

Kool, van Hoof and Welling 2019; Ahmadian et al. 2024 (arXiv 2402.14740). With one update a rollout the ratio
is 1 and the gradient REINFORCE's; with several it is clipped as in PPO.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tracelab.algorithms.base import Clipped, centred


@dataclass(frozen=True, kw_only=True)
class RLOO(Clipped):
    """per: `constant` makes it a sum over tokens, as the log-probability of a completion is."""

    per: str = "constant"

    def advantages(self, rewards: Tensor) -> Tensor:
        """(prompts, group) -> the same. r − mean of the others = (r − mean of all) · n / (n − 1)."""
        n = rewards.shape[1]
        return centred(rewards) * n / (n - 1)
