"""GRPO (Shao et al. 2024, arXiv 2402.03300, equations 3 and 4), Dr. GRPO by its knobs, and DAPO.

    A_i = (r_i − mean r) / std r          over the completions of one prompt
    J   = mean_i mean_t min(ρ_it A_i, clip(ρ_it, 1 − ε, 1 + ε) A_i) − β KL

Dr. GRPO (Liu et al. 2025, arXiv 2503.20783): std=false, per=constant. DAPO (Yu et al. 2025, arXiv
2503.14476): per=token, clip_high=0.28, and groups of equal reward drawn again. Its two measures against long
completions are not on by themselves: updates.truncated=mask, and a reward that falls towards the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tracelab.algorithms.base import Clipped, Equal, centred

FLOOR = 1e-4  # added to the deviation, as TRL does; groups of equal reward have the advantage 0 exactly


@dataclass(frozen=True, kw_only=True)
class GRPO(Clipped):
    """std: divide by the group's standard deviation (n − 1 degrees of freedom)? It favours prompts that are
    nearly always or nearly never solved.
    """

    std: bool = True

    def advantages(self, rewards: Tensor) -> Tensor:
        """(prompts, group) -> the same."""
        advantages = centred(rewards)
        return advantages / (rewards.std(1, keepdim=True) + FLOOR) if self.std else advantages


@dataclass(frozen=True, kw_only=True)
class DAPO(GRPO):
    """Groups of equal reward are drawn again (dynamic sampling)."""

    per: str = "token"
    clip_high: float = 0.28

    equal: ClassVar[Equal] = "resample"
