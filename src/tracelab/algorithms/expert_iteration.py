"""Expert iteration: fine-tune on the completions that earned enough, and on nothing else.

    J = mean over completions with r_i ≥ threshold of log π(completion)

The control that asks whether reinforcement is needed (rejection-sampling fine-tuning; Anthony et al.
2017, arXiv 1705.08439; ReST, Gulcehre et al. 2023, arXiv 2308.08998).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tracelab.algorithms.base import SLACK, Algorithm, Batch, Equal


@dataclass(frozen=True, kw_only=True)
class ExpertIteration(Algorithm):
    """threshold: the least reward that is imitated."""

    per: str = "token"
    threshold: float = 1.0

    least_group = 1
    equal: ClassVar[Equal] = "keep"  # what all solve is imitated, too

    @property
    def least(self) -> float:
        """The threshold, but for rounding."""
        return self.threshold - SLACK

    def advantages(self, rewards: Tensor) -> Tensor:
        """(prompts, group) -> 1 where a completion is imitated, else 0."""
        return (rewards >= self.least).to(rewards.dtype)

    def counted(self, advantages: Tensor) -> Tensor:
        """The mean is over what is imitated."""
        return advantages > 0

    def surrogate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The negative log-likelihood."""
        return -batch.logprobs * batch.advantages[:, None], torch.zeros_like(batch.mask)
