"""What post-training algorithms share: a weighted sum of token losses, a KL and an entropy term.

    loss = Σ_it w_it surrogate_it + v_it (kl · KL_it − entropy · H_it)

over completions i and their tokens t. The weights w and v sum over the whole batch of an update, not over a
micro-batch, so the gradient is the same however the batch is split. Their sums are 1 unless `per` says
otherwise; a batch without a token that counts has the loss 0 and the gradient 0. v is of all completions, for
KL and entropy are means under the policy; w leaves out what `counted` does. But for that they are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from tracelab.algorithms.kl import ESTIMATORS, kl_terms

Equal = Literal["keep", "filter", "resample", "hint"]
PER = ("sequence", "token", "constant")
SLACK = 1e-9  # of a sum of weighted rewards: 0.6 + 0.3 + 0.1 is less than 1, and 0.1 + 0.2 more than 0.3


class Batch(NamedTuple):
    """n completions of up to T tokens, right-padded; all (n, T) but advantages (n,).

    logprobs: of the sampled tokens under the policy that is trained, with gradient; old: under the policy
    that sampled; reference: under the frozen reference; entropy: of the policy's distributions (each
    None where it is not asked for). mask: tokens that count; weights: from `Algorithm.weights`; spread: from
    `Algorithm.spread`, of the KL and the entropy terms (None: `weights`).
    """

    logprobs: Tensor
    old: Tensor
    advantages: Tensor
    mask: Tensor
    weights: Tensor
    reference: Tensor | None = None
    entropy: Tensor | None = None
    spread: Tensor | None = None


class Terms(NamedTuple):
    """loss: (); sums: over tokens that count, by name; add them over micro-batches, divide by `tokens`."""

    loss: Tensor
    sums: dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """per: what the loss is a mean over: `sequence` (each completion weighs the same, so tokens of long ones
    weigh less), `token` (each token the same) or `constant` (a sum, divided by completions × max_new).
    kl: weight of the KL to the reference, 0 for none; kl_estimator: see `kl.py`. entropy: weight of
    the bonus.
    """

    per: str = "sequence"
    kl: float = 0.0
    kl_estimator: str = "k3"
    entropy: float = 0.0

    least_group = 2  # completions per prompt that the advantages need
    equal: ClassVar[Equal] = (
        "filter"  # what is done with groups of equal reward, where nobody says (`posttraining.groups`)
    )

    def __post_init__(self) -> None:
        for value, known, knob in (
            (self.per, PER, "per"),
            (self.kl_estimator, tuple(ESTIMATORS), "kl_estimator"),
        ):
            if value not in known:
                raise ValueError(f"algorithm.{knob}={value!r} is unknown; choose one of {', '.join(known)}")
        if self.kl < 0 or self.entropy < 0:
            raise ValueError("algorithm.kl and algorithm.entropy are weights: 0 or more")

    def advantages(self, rewards: Tensor) -> Tensor:
        """(prompts, group) rewards -> (prompts, group) advantages."""
        raise NotImplementedError

    def surrogate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """-> (n, T) losses that advantages act through, and (n, T) which of them are clipped."""
        raise NotImplementedError

    def counted(self, advantages: Tensor) -> Tensor:
        """(n,) bool: the completions that the surrogate is a mean over."""
        return torch.ones_like(advantages, dtype=torch.bool)

    def weights(self, mask: Tensor, advantages: Tensor, max_new: int) -> Tensor:
        """(n, T) weight of each token's surrogate, for the whole batch of an update."""
        return self._shares(mask & self.counted(advantages)[:, None], advantages.dtype, max_new)

    def spread(self, mask: Tensor, advantages: Tensor, max_new: int) -> Tensor:
        """(n, T) weight of each token's KL and entropy: whatever is counted, all completions have theirs."""
        return self._shares(mask, advantages.dtype, max_new)

    def _shares(self, mask: Tensor, dtype: torch.dtype, max_new: int) -> Tensor:
        counts = mask.to(dtype)
        if self.per == "token":
            return counts / counts.sum().clamp(min=1)
        rows = (counts.sum(1) > 0).sum().clamp(min=1)
        if self.per == "constant":
            return counts / (rows * max_new)
        return counts / counts.sum(1, keepdim=True).clamp(min=1) / rows

    def loss(self, batch: Batch) -> Terms:
        """The loss of a (micro-)batch."""
        losses, clipped = self.surrogate(batch)
        loss = (batch.weights * losses.where(batch.mask, 0.0)).sum()
        spread = batch.weights if batch.spread is None else batch.spread
        sums = {"tokens": batch.mask.sum(), "clip_share": (clipped & batch.mask).sum()}
        if batch.reference is not None:
            kl = kl_terms(self.kl_estimator, batch.logprobs, batch.old, batch.reference)
            loss = loss + self.kl * (spread * kl.where(batch.mask, 0.0)).sum()
            sums["kl"] = kl.detach().where(batch.mask, 0.0).sum()
        if batch.entropy is not None:
            loss = loss - self.entropy * (spread * batch.entropy.where(batch.mask, 0.0)).sum()
            sums["entropy"] = batch.entropy.detach().where(batch.mask, 0.0).sum()
        return Terms(loss, sums)


@dataclass(frozen=True, kw_only=True)
class Clipped(Algorithm):
    """PPO's surrogate (Schulman et al. 2017): −min(ρ A, clip(ρ, 1 − low, 1 + high) A), ρ a token's ratio."""

    clip_low: float = 0.2
    clip_high: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.clip_low <= 1 or self.clip_high < 0:
            raise ValueError(
                f"algorithm.clip_low={self.clip_low} must be in [0, 1], clip_high={self.clip_high} 0 or more"
            )

    def surrogate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pessimistic where the ratio leaves its range."""
        return self.clip((batch.logprobs - batch.old).exp(), batch.advantages[:, None])

    def clip(self, ratio: Tensor, advantages: Tensor) -> tuple[Tensor, Tensor]:
        """-> losses, and where the clipped branch is the active one."""
        free = -ratio * advantages
        bound = -ratio.clamp(1 - self.clip_low, 1 + self.clip_high) * advantages
        return torch.maximum(free, bound), bound > free


def centred(rewards: Tensor) -> Tensor:
    """(prompts, group) minus the group's mean; exactly 0 where rewards are equal but for rounding."""
    equal = ((rewards - rewards[:, :1]).abs() <= SLACK).all(1, keepdim=True)
    return torch.where(equal, 0.0, rewards - rewards.mean(1, keepdim=True))
