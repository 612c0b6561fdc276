"""A round's updates: the gradient steps that are made of rollouts.

Several processes have the same rollouts. Advantages are over whole groups and weights over all completions
of an update; each process computes the losses of some completions, and gradients are added up.

The probabilities of the policy that sampled ("old") are computed before a round's first update, by the same
forward and in the same micro-batches as the new ones, so there the ratio is exactly 1; how far they are from
the sampler's own is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

from tracelab.algorithms.base import Algorithm, Batch
from tracelab.core.settings import Count, Positive, settings
from tracelab.decoding.logprobs import Forward, Micro, evaluate, lay_out, micro_batches
from tracelab.decoding.sharing import among, gathered
from tracelab.models.base import Model
from tracelab.posttraining.rollout import Rollouts

Sums = dict[str, Tensor]  # float64, where the model is: to ask for a value is to wait for a GPU


@settings
class Updates:
    """passes: over the rollouts of a round; parts: updates in a pass, each on its share of the prompts.
    clip: of the gradient's norm. truncated: are completions that were cut off trained on (`keep`) or not
    (`mask`)? micro_tokens: with padding, of a forward pass.
    """

    passes: Count = 1
    parts: Count = 1
    clip: Positive = 1.0
    truncated: Literal["keep", "mask"] = "keep"
    micro_tokens: Count = 8192


class Part(NamedTuple):
    """A micro-batch and what belongs to it; `Batch` says what is what.

    sampled: log-probabilities as the sampler saw them; old: None if the only update is of the policy that
    sampled.
    """

    micro: Micro
    sampled: Tensor
    advantages: Tensor
    mask: Tensor
    weights: Tensor
    spread: Tensor
    old: Tensor | None
    reference: Tensor | None


@dataclass
class Updater:
    """Makes a round's updates of a model.

    knobs: how many, of what; reference: the frozen model that a KL term pulls to; forward:
    `decoding.logprobs.token_figures` or the same compiled; backward: adds a loss's gradient; max_new,
    temperature: of the rollouts.
    """

    model: Model
    algorithm: Algorithm
    knobs: Updates
    reference: Model | None
    optimizer: Any
    forward: Forward
    backward: Callable[[Tensor], None]
    max_new: int
    temperature: float

    def __call__(self, rollouts: Rollouts) -> tuple[dict[str, float], int, NDArray[np.int64]]:
        """All updates of a round -> figures, how many there were, and which groups they are made of."""
        advantages = self.algorithm.advantages(torch.from_numpy(rollouts.rewards)).float()  # (P, G)
        advantages *= torch.from_numpy(rollouts.weight).float()[:, None]
        parts = np.array_split(np.arange(len(rollouts)), min(self.knobs.parts, len(rollouts)))
        prepared = [self._prepared(rollouts.take(part), advantages[part]) for part in parts]
        # the others teach nothing, and a step would follow momentum
        counting = [(part, groups) for part, groups in zip(prepared, parts, strict=True) if part is not None]
        found: Sums = {}
        norms = [self._update(part, found) for _ in range(self.knobs.passes) for part, _ in counting]
        sums = added_up(found)
        figures = {f"update/{name}": sums[name] / max(sums["tokens"], 1) for name in sums if name != "tokens"}
        learned = np.concatenate([np.zeros(0, np.int64), *(groups for _, groups in counting)])
        figures |= {"update/grad_norm": float(np.mean(norms)) if norms else 0.0}
        return figures, len(norms), learned

    @torch.no_grad()
    def _prepared(self, rollouts: Rollouts, advantages: Tensor) -> list[Part] | None:
        """Some groups as micro-batches, this process's completions of them, with all that updates will not
        change; None if no token counts, or none has an advantage and nothing else acts.
        """
        group, done = rollouts.rewards.shape[1], rollouts.completions
        rows = np.repeat(np.arange(len(rollouts)), group)
        kept = ~done.truncated if self.knobs.truncated == "mask" else np.ones(len(rows), bool)
        lengths = done.tokens.lengths
        mask = torch.from_numpy((np.arange(lengths.max()) < lengths[:, None]) & kept[:, None])
        flat = advantages.flatten()
        weights = self.algorithm.weights(mask, flat, self.max_new)
        spread = self.algorithm.spread(mask, flat, self.max_new)
        others = self.algorithm.kl or self.algorithm.entropy
        if not (spread.any() if others else (weights * flat[:, None]).any()):
            return None
        rank, processes = among()
        prompts = rollouts.prompts.take(rows)
        mine = np.argsort(-(prompts.lengths + lengths), kind="stable")[rank::processes]
        device = self.model.device
        parts = []
        for micro in micro_batches(prompts.take(mine), done.tokens.take(mine), self.knobs.micro_tokens):
            places, T = torch.from_numpy(mine[micro.rows.numpy()]), micro.mask.shape[1]
            sampled = torch.from_numpy(done.logprobs.take(places.numpy()).values)
            moved = Micro(*(part.to(device) for part in micro))
            parts.append(
                Part(
                    moved,
                    lay_out(sampled, micro.mask).to(device),
                    flat[places].to(device),
                    mask[places, :T].to(device),
                    weights[places, :T].to(device),
                    spread[places, :T].to(device),
                    None,
                    None,
                )
            )
        return [self._with_logprobs(part) for part in parts]  # when all is there: copies wait for a GPU

    def _with_logprobs(self, part: Part) -> Part:
        """The part with what its tokens' probabilities are before a round's first update."""
        several = self.knobs.passes * self.knobs.parts > 1
        old = self._logprobs(self.model, part.micro) if several else None
        reference = None if self.reference is None else self._logprobs(self.reference, part.micro)
        return part._replace(old=old, reference=reference)

    def _logprobs(self, model: Model, micro: Micro) -> Tensor:
        """Log-probabilities (B, T) of the sampled tokens under a model, detached.

        They are computed as in an update, with a gradient. Compiled without one, the function may round
        otherwise, and the ratio would not be 1.
        """
        with torch.enable_grad():
            return self._evaluate(model, micro)[0].detach()

    def _evaluate(self, model: Model, micro: Micro) -> tuple[Tensor, Tensor]:
        return evaluate(model, micro, self.temperature, self.algorithm.entropy > 0, self.forward)

    def _update(self, parts: list[Part], sums: Sums) -> float:
        """One step of the optimiser -> the norm of its gradient, which is all that is waited for."""
        self.optimizer.zero_grad()
        for part in parts:
            logprobs, entropy = self._evaluate(self.model, part.micro)
            old = logprobs.detach() if part.old is None else part.old
            known = part.advantages, part.mask, part.weights, part.reference
            terms = self.algorithm.loss(Batch(logprobs, old, *known, entropy, part.spread))
            self.backward(terms.loss)
            difference = (old - part.sampled).abs().where(part.mask, 0.0).sum()
            for name, value in (terms.sums | {"sampler_difference": difference}).items():
                sums[name] = sums.get(name, 0.0) + value.double()
        add_up_gradients(self.model)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.knobs.clip))
        if not np.isfinite(norm):
            raise ValueError(
                f"the gradient's norm is {norm}. Neither weights nor last.ckpt are spoilt: lower the "
                "learning rate, or look at the rewards"
            )
        self.optimizer.step()
        return norm


def add_up_gradients(model: Model) -> None:
    """Give all processes the sum of their gradients. One that had no completion has none."""
    if among()[1] == 1:
        return
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    sums = flat.split([weight.numel() for weight in weights])
    for weight, summed in zip(weights, sums, strict=True):
        weight.grad = summed.view_as(weight)


def added_up(sums: Sums) -> dict[str, float]:
    """Sums over all processes, by name."""
    mine = dict(zip(sums, torch.stack([*sums.values()]).tolist(), strict=True)) if sums else {}
    total: dict[str, float] = {}
    for each in gathered(mine):
        total |= {name: total.get(name, 0.0) + value for name, value in each.items()}
    return total
