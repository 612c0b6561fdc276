"""Next-token training on completions, with a budget: the LightningModule.

    learner = Learner(model, optimizer=MuonAdamW, schedule=Linear(), budget=Budget(minutes=10))
    trainer.fit(learner, loader, val_loader)

The loss is a weighted mean over the completion tokens of a batch; weights of 1 and 1 make it plain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

import lightning
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from tracelab.budget import Budget, Progress
from tracelab.data.batching import Batch
from tracelab.models.gpt import GPT


class Learner(lightning.LightningModule):
    """A model, what it is optimised with, and for how long.

    optimizer: model -> optimiser; schedule: (steps done, share of the budget used) -> factor on the
    learning rates; trace_weight, solution_weight: of a token in the loss. compile: torch.compile the
    forward pass; None does so on GPUs alone (on a CPU it pays for runs of more than five minutes).
    """

    shown: ClassVar = {"loss": "train/loss", "val": "val/loss"}  # in the progress line

    def __init__(
        self,
        model: GPT,
        optimizer: Callable[[GPT], Optimizer],
        schedule: Callable[[int, float], float],
        budget: Budget,
        trace_weight: float = 1.0,
        solution_weight: float = 1.0,
        compile: bool | None = None,
    ) -> None:
        super().__init__()
        self.model, self.optimizer, self.schedule, self.budget = model, optimizer, schedule, budget
        self.part_weights = {"trace": trace_weight, "solution": solution_weight}
        self.progress = Progress()
        self.compile_losses = compile
        self._logged = Progress()  # as it was when tokens/s was last logged
        self._clock = 0.0
        self._sums: dict[str, Tensor] = {}  # of the validation under way

    def setup(self, stage: str) -> None:
        """Compile, if so wished. On a CPU a step is then a fifth faster, after half a minute."""
        wished = self.compile_losses
        if wished is None:
            wished = self.trainer.strategy.root_device.type == "cuda"
        self._losses = torch.compile(self.token_losses, dynamic=True) if wished else self.token_losses

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its rates are set before each step."""
        optimizer = self.optimizer(self.model)
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
        return optimizer

    def token_losses(self, tokens: Tensor, at: Tensor, targets: Tensor) -> Tensor:
        """(n,) cross-entropies in nats at the n places of a batch that are to be predicted."""
        hidden = self.model.hidden(tokens).flatten(0, 1)  # (B * T, width)
        return cross_entropy(self.model.logits(hidden[at]), targets, reduction="none")

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The weighted mean loss of a batch."""
        losses = self._losses(batch.tokens, batch.at, batch.targets)
        self._count(batch)
        if self._at_log_step():
            self._log_losses("train", part_sums(losses.detach(), batch.trace))
        return self.mean_loss(losses, batch.trace)

    def mean_loss(self, losses: Tensor, trace: Tensor) -> Tensor:
        """(n,) losses -> their weighted mean; trace: (n,) bool."""
        weights = torch.where(trace, self.part_weights["trace"], self.part_weights["solution"])
        return (losses * weights).sum() / weights.sum()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Set the rates, take the step, and stop the training if it was the budget's last."""
        factor = self.schedule(self.progress.steps, self.budget.used(self.progress))
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["peak_lr"] * factor
        super().optimizer_step(*args, **kwargs)
        self.progress.steps += 1
        self._stop_if_used()

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, *_: Any, **__: Any
    ) -> None:
        """Clip by norm, log the norm, and refuse to step on gradients that are not finite."""
        clip = float("inf") if gradient_clip_val is None else gradient_clip_val
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), clip)
        if not torch.isfinite(norm):
            raise ValueError(
                f"the gradient's norm is {norm.item()} at step {self.progress.steps}. Neither weights nor "
                "last.ckpt are spoilt: lower the learning rate, or clip (trainer.gradient_clip_val=1)"
            )
        if self._at_log_step():
            lr = optimizer.param_groups[0]["lr"]
            self.log_dict({"train/grad_norm": norm, "train/lr": lr}, batch_size=1)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Add a batch to the sums over the validation set."""
        losses = self._losses(batch.tokens, batch.at, batch.targets)
        sums = part_sums(losses, batch.trace)
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in sums.items()}

    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation set; its time is not training time."""
        self._log_losses("val", self._sums)
        self._sums = {}
        self._clock = time.perf_counter()

    def on_train_start(self) -> None:
        """Start the clock; a run that is resumed after its end does nothing."""
        self._clock = time.perf_counter()
        self._stop_if_used()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the progress, and torch's random state for models that draw numbers (dropout)."""
        checkpoint["progress"] = asdict(self.progress)
        checkpoint["torch_rng"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        self.progress = Progress(**checkpoint["progress"])
        self._logged = Progress(**checkpoint["progress"])
        torch.set_rng_state(checkpoint["torch_rng"])

    def _count(self, batch: Batch) -> None:
        now = time.perf_counter()
        tokens, completion_tokens, examples = batch.counts
        self.progress.tokens += tokens
        self.progress.completion_tokens += completion_tokens
        self.progress.examples += examples
        self.progress.minutes += (now - self._clock) / 60
        self._clock = now
        loader: Any = self.trainer.train_dataloader
        loader.trained = batch.after  # by itself it would be a batch ahead

    def _stop_if_used(self) -> None:
        used = self.budget.used(self.progress) >= 1.0
        self.trainer.should_stop |= self.trainer.strategy.reduce_boolean_decision(used, all=False)

    def _at_log_step(self) -> bool:
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return (self.progress.steps + 1) % every == 0

    def _log_losses(self, stage: str, sums: dict[str, Tensor]) -> None:
        """Log means of trace, solution and both; in training, the counts and the speed too."""
        means = {name: sums[name] / sums[f"{name} tokens"] for name in ("trace", "solution")}
        weights = {name: self.part_weights[name] * sums[f"{name} tokens"] for name in ("trace", "solution")}
        total = sum(weights[name] * means[name].nan_to_num() for name in weights) / sum(weights.values())
        self.log(f"{stage}/loss", total, batch_size=1)
        for name, mean in means.items():
            if sums[f"{name} tokens"] > 0:
                self.log(f"{stage}/{name}_loss", mean, batch_size=1)
        if stage == "train":
            seconds = 60 * (self.progress.minutes - self._logged.minutes)
            speed = (self.progress.tokens - self._logged.tokens) / max(seconds, 1e-9)
            self._logged = Progress(**asdict(self.progress))
            self.log_dict({"train/tokens_per_second": speed, "train/tokens": float(self.progress.tokens)})


def part_sums(losses: Tensor, trace: Tensor) -> dict[str, Tensor]:
    """Sums of losses, and how many there are, over traces and over solutions."""
    return {
        "trace": losses[trace].sum(),
        "trace tokens": trace.sum(),
        "solution": losses[~trace].sum(),
        "solution tokens": (~trace).sum(),
    }
