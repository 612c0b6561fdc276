"""GSPO (Zheng et al. 2025, arXiv 2507.18071): the ratio of whole completions, normalised by length.

s_i = exp(mean_t (log π_it − log π_old,it))       equation 7
J   = mean_i min(s_i A_i, clip(s_i, 1 − ε, 1 + ε) A_i)
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tracelab.algorithms.base import Batch
from tracelab.algorithms.grpo import GRPO


@dataclass(frozen=True, kw_only=True)
class GSPO(GRPO):
    """Its clip range is as narrow as a mean log-ratio is small: 3e-4 and 4e-4 in the paper."""

    clip_low: float = 3e-4
    clip_high: float = 4e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.per != "sequence":
            raise ValueError(f"algorithm.per={self.per}: GSPO's loss is per sequence; leave it out")

    def surrogate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One value a completion, at each of its tokens: their weighted mean is the completion's."""
        differences = (batch.logprobs - batch.old).where(batch.mask, 0.0)
        tokens = batch.mask.sum(1, keepdim=True).clamp(min=1)
        ratio = (differences.sum(1, keepdim=True) / tokens).exp()
        losses, clipped = self.clip(ratio, batch.advantages[:, None])
        return losses.expand_as(batch.mask), clipped.expand_as(batch.mask)
