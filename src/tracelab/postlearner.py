"""Post-training under Lightning: sample, judge, reward, then one or several updates on what was sampled.

Optimisation is manual: a training step is a whole round of rollouts and updates. The probabilities of the
policy that sampled ("old") are computed before a round's first update, by the same forward and in the same
micro-batches as the new ones, so there the ratio is exactly 1; how far they are from the sampler's own is
logged.
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from tracelab.algorithms.base import Algorithm, Batch
from tracelab.budget import Budget, Progress
from tracelab.groups import Sampler
from tracelab.models.gpt import GPT
from tracelab.policy import Micro, evaluate, lay_out, micro_batches, token_figures
from tracelab.rollout import Rollouts

Sums = dict[str, float]

SILENT_ROUNDS = 20  # rounds without a group to learn from, in a row, before a warning


@dataclass(frozen=True)
class Updates:
    """passes: over the rollouts of a round; parts: updates in a pass, each on its share of the prompts.
    clip: of the gradient's norm. truncated: are completions that were cut off trained on (`keep`) or not
    (`mask`)? micro_tokens: with padding, of a forward pass.
    """

    passes: int = 1
    parts: int = 1
    clip: float = 1.0
    truncated: str = "keep"
    micro_tokens: int = 8192

    def __post_init__(self) -> None:
        if self.truncated not in ("keep", "mask"):
            raise ValueError(f"updates.truncated={self.truncated!r} is unknown; choose keep or mask")
        for knob in ("passes", "parts", "micro_tokens", "clip"):
            if not getattr(self, knob) > 0:
                raise ValueError(f"updates.{knob}={getattr(self, knob)} must be more than 0")


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
    old: Tensor | None
    reference: Tensor | None


class PostLearner(lightning.LightningModule):
    """A model, the algorithm, its sampler and the budget.

    reference: the frozen model that a KL term pulls to. held_out: measures the model every `every` rounds,
    before the first and after the last -> figures to log. compile: torch.compile the forward pass; None
    does so on GPUs alone.
    """

    shown: ClassVar = {  # in the progress line
        "reward": "rollout/reward",
        "accuracy": "val/solution_valid",
        "strict": "val/trace_strict",
    }

    def __init__(
        self,
        model: GPT,
        algorithm: Algorithm,
        sampler: Sampler,
        optimizer: Callable[[GPT], Optimizer],
        schedule: Callable[[int, float], float],
        budget: Budget,
        updates: Updates,
        held_out: Callable[[GPT], dict[str, float]],
        every: int = 20,
        reference: GPT | None = None,
        compile: bool | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model, self.algorithm, self.sampler, self.updates = model, algorithm, sampler, updates
        self.optimizer, self.schedule, self.budget = optimizer, schedule, budget
        self.held_out, self.every, self.compile_forward = held_out, every, compile
        self.progress = Progress()
        self._frozen = (reference,)  # in a tuple: its weights belong to no checkpoint
        self._silent = 0

    def setup(self, stage: str) -> None:
        """Compile, if so wished. On a CPU an update then takes three quarters of the time, after minutes."""
        wished = self.compile_forward
        if wished is None:
            wished = self.trainer.strategy.root_device.type == "cuda"
        self._forward = torch.compile(token_figures, dynamic=True) if wished else token_figures

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its rates are set before each round."""
        optimizer = self.optimizer(self.model)
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
        return optimizer

    def on_train_start(self) -> None:
        """Measure where it starts; a run that is resumed after its end does nothing."""
        if self.progress.steps == 0:
            self._report(self._measure())
        self._stop_if_used()

    def training_step(self, batch: int, batch_index: int) -> None:
        """One round."""
        began = time.perf_counter()
        self.model.eval()
        used = self.budget.used(self.progress)
        rollouts, figures = self.sampler(self.model, used)
        sampled = time.perf_counter()
        figures = {f"rollout/{name}": value for name, value in figures.items()}
        tokens = int(rollouts.completions.tokens.offsets[-1])
        figures["rollout/groups_trained_on"] = float(len(rollouts))
        self.model.train()
        self._set_rates(self.schedule(self.progress.steps, used))
        if len(rollouts):
            figures |= self._learn(rollouts)
        self._warn_if_silent(len(rollouts))
        ended = time.perf_counter()
        figures["rollout/seconds"], figures["update/seconds"] = sampled - began, ended - sampled
        self.progress.steps += 1
        self.progress.tokens += tokens
        self.progress.examples += len(rollouts)
        self.progress.completion_tokens += tokens
        self.progress.minutes += (ended - began) / 60
        last = self.budget.used(self.progress) >= 1.0
        if self.progress.steps % self.every == 0 or last:
            figures |= self._measure()
        self._report(figures)
        self._stop_if_used()

    def _learn(self, rollouts: Rollouts) -> dict[str, float]:
        """All updates of a round -> figures."""
        advantages = self.algorithm.advantages(torch.from_numpy(rollouts.rewards)).float()  # (P, G)
        parts = np.array_split(np.arange(len(rollouts)), min(self.updates.parts, len(rollouts)))
        prepared = [self._prepared(rollouts.take(part), advantages[part]) for part in parts]
        prepared = [part for part in prepared if part]  # a step where nothing counts would follow momentum
        sums: Sums = defaultdict(float)
        norms = [self._update(part, sums) for _ in range(self.updates.passes) for part in prepared]
        figures = {f"update/{name}": sums[name] / max(sums["tokens"], 1) for name in sums if name != "tokens"}
        return figures | {"update/grad_norm": float(np.mean(norms)) if norms else 0.0}

    @torch.no_grad()
    def _prepared(self, rollouts: Rollouts, advantages: Tensor) -> list[Part]:
        """Some groups as micro-batches, with all that updates will not change; [] if no token counts."""
        group, done = rollouts.rewards.shape[1], rollouts.completions
        rows = np.repeat(np.arange(len(rollouts)), group)
        kept = ~done.truncated if self.updates.truncated == "mask" else np.ones(len(rows), bool)
        lengths = done.tokens.lengths
        mask = torch.from_numpy((np.arange(lengths.max()) < lengths[:, None]) & kept[:, None])
        flat = advantages.flatten()
        weights = self.algorithm.weights(mask, flat, self.sampler.settings.max_new)
        if not weights.any():
            return []
        several = self.updates.passes * self.updates.parts > 1
        prompts = rollouts.prompts.take(rows)
        parts = []
        for micro in micro_batches(prompts, done.tokens, self.updates.micro_tokens):
            places, T = micro.rows, micro.mask.shape[1]
            sampled = torch.from_numpy(done.logprobs.take(places.numpy()).values)
            moved = Micro(*(part.to(self.device) for part in micro))
            parts.append(
                Part(
                    moved,
                    lay_out(sampled, micro.mask).to(self.device),
                    flat[places].to(self.device),
                    mask[places, :T].to(self.device),
                    weights[places, :T].to(self.device),
                    self._logprobs(self.model, moved) if several else None,
                    None if self._frozen[0] is None else self._logprobs(self._frozen[0], moved),
                )
            )
        return parts

    def _logprobs(self, model: GPT, micro: Micro) -> Tensor:
        """By the very function that an update takes, with its gradient: compiled without one, it may round
        otherwise, and the ratio would not be 1.
        """
        with torch.enable_grad():
            return self._evaluate(model.to(self.device), micro)[0].detach()

    def _evaluate(self, model: GPT, micro: Micro) -> tuple[Tensor, Tensor]:
        temperature, bonus = self.sampler.settings.temperature, self.algorithm.entropy > 0
        return evaluate(model, micro, temperature, bonus, self._forward)

    def _update(self, parts: list[Part], sums: Sums) -> float:
        """One step of the optimiser -> the norm of its gradient."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        for part in parts:
            logprobs, entropy = self._evaluate(self.model, part.micro)
            old = logprobs.detach() if part.old is None else part.old
            batch = Batch(logprobs, old, part.advantages, part.mask, part.weights, part.reference, entropy)
            terms = self.algorithm.loss(batch)
            self.manual_backward(terms.loss)
            difference = (old - part.sampled).abs().where(part.mask, 0.0).sum()
            for name, value in (terms.sums | {"sampler_difference": difference}).items():
                sums[name] += float(value)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.updates.clip))
        if not np.isfinite(norm):
            raise ValueError(
                f"the gradient's norm is {norm} in round {self.progress.steps}. Neither weights nor "
                "last.ckpt are spoilt: lower the learning rate, or look at the rewards"
            )
        optimizer.step()
        return norm

    def _set_rates(self, factor: float) -> None:
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["peak_lr"] * factor

    def _measure(self) -> dict[str, float]:
        self.model.eval()
        return {f"val/{name}": value for name, value in self.held_out(self.model).items()}

    def _report(self, figures: dict[str, float]) -> None:
        """Log, by round."""
        for logger in self.loggers:
            logger.log_metrics(figures, step=self.progress.steps)
        self.trainer.callback_metrics.update({k: torch.tensor(v) for k, v in figures.items()})

    def _warn_if_silent(self, groups: int) -> None:
        self._silent = 0 if groups else self._silent + 1
        if self._silent == SILENT_ROUNDS:
            warnings.warn(
                f"in {SILENT_ROUNDS} rounds no group had rewards that differ, so nothing was learned: take "
                "an easier task, a model that solves some problems, rollout.equal=hint, a larger "
                "rollout.group, or another reward",
                stacklevel=2,
            )

    def _stop_if_used(self) -> None:
        self.trainer.should_stop |= self.budget.used(self.progress) >= 1.0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the progress, where the streams are, and torch's random state."""
        checkpoint["progress"] = asdict(self.progress)
        checkpoint["sampler"] = self.sampler.state_dict()
        checkpoint["torch_rng"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        self.progress = Progress(**checkpoint["progress"])
        self.sampler.load_state_dict(checkpoint["sampler"])
        torch.set_rng_state(checkpoint["torch_rng"])


class Rounds:
    """An endless loader of nothing: what a round is trained on, it samples itself."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0
