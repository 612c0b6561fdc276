"""Next-token training on completions, with a budget: the LightningModule.

    learner = Learner(model, optimizer=MuonAdamW, schedule=Linear(), budget=Budget(minutes=10))
    trainer.fit(learner, loader, val_loader)

The loss is a weighted mean over the completion tokens of a batch; weights of 1 and 1 make it plain. Several
processes share a batch, whose weight each of them knows. On GPUs nothing waits for the device between two
lines of the log, so that it is never without work.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

import lightning
import torch
from torch import Tensor
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from tracelab.batches.packing import Packed
from tracelab.batches.padding import Batch, Counts
from tracelab.models.base import Model
from tracelab.models.gpt import GPT
from tracelab.models.kernels import choose
from tracelab.models.precision import name_of
from tracelab.training.budget import Budget, Progress
from tracelab.training.losses import Sums, packed_loss, padded_losses, weighted_sum
from tracelab.training.processes import most
from tracelab.training.throughput import Throughput, peak_flops


class Learner(lightning.LightningModule):
    """A model, what it is optimised with, and for how long.

    optimizer: model -> optimiser; schedule: (steps done, share of the budget used) -> factor on the
    learning rates; trace_weight, solution_weight: of a token in the loss. compile: torch.compile the loss,
    forward and backward; None does so on GPUs alone (on a CPU it pays for runs of more than five minutes).
    attention: the kernel for packed rows (`models.kernels`); a resumed run keeps the one that it had.
    """

    shown: ClassVar = {  # in the progress line
        "loss": ("train/loss", ".4f"),
        "val": ("val/loss", ".4f"),
        "right": ("val/solution_valid", ".0%"),
        "strict": ("val/trace_strict", ".0%"),
        "mfu": ("train/mfu", ".4f"),
    }

    def __init__(
        self,
        model: Model,
        optimizer: Callable[[Model], Optimizer],
        schedule: Callable[[int, float], float],
        budget: Budget,
        trace_weight: float = 1.0,
        solution_weight: float = 1.0,
        compile: bool | None = None,
        attention: str = "auto",
    ) -> None:
        super().__init__()
        self.model, self.optimizer, self.schedule, self.budget = model, optimizer, schedule, budget
        self.part_weights = {"trace": trace_weight, "solution": solution_weight}
        self.progress = Progress()
        self.compile_losses, self.attention = compile, attention
        self._padded: Any = padded_losses
        self._packed: Any = packed_loss
        self._on_gpu, self._compiles, self._processes = False, False, 1
        self._throughput = Throughput()
        self._clock = 0.0
        self._largest = torch.zeros(())  # norm of a gradient since it was last looked at
        self._sums: dict[str, Tensor] = {}  # of the validation under way

    def setup(self, stage: str) -> None:
        """Compile, if so wished. On a CPU a step is then a fifth faster, after half a minute."""
        self._on_gpu = self.trainer.strategy.root_device.type == "cuda"
        self._compiles = self._on_gpu if self.compile_losses is None else self.compile_losses
        self._processes = self.trainer.world_size
        if self._compiles and self.device_mesh is None:
            torch._dynamo.config.optimize_ddp = False  # it would cut graphs that can't be cut
            self._padded = torch.compile(padded_losses, dynamic=True)
            self._packed = torch.compile(packed_loss, dynamic=False, fullgraph=True)
        peak = peak_flops(torch.cuda.get_device_name()) if self._on_gpu else None
        self._throughput.peak = peak and peak * self._processes

    def configure_model(self) -> None:
        """Shard the blocks and what is around them, if the strategy is to (FSDP2); no graph spans them."""
        if self.device_mesh is None:
            return
        mesh = self.device_mesh["data_parallel"]
        for block in self.model.blocks:
            if self._compiles:
                block.compile()
            fully_shard(block, mesh=mesh)
        fully_shard(self.model, mesh=mesh)
        for method in ("hidden", "logits"):  # what is called instead of forward
            register_fsdp_forward_method(self.model, method)

    def on_train_batch_start(self, batch: Batch | Packed, batch_index: int) -> None:
        """Choose the kernel for packed rows, once."""
        if isinstance(batch, Packed) and self.model.kernel != self.attention:
            assert isinstance(self.model, GPT), "other models are refused before training"
            with self.trainer.precision_plugin.forward_context():
                chosen = choose(self.attention, self.model, batch.documents)
            self.attention = self.trainer.strategy.broadcast(chosen)
            self.model.kernel = self.attention

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its rates are set before each step."""
        optimizer = self.optimizer(self.model)
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
        return optimizer

    def loss(self, batch: Batch | Packed) -> tuple[Tensor, Sums]:
        """The weighted mean loss of a batch, and sums over its traces and its solutions.

        Of several processes each has a part of both: sums add up to the batch's, losses have the batch's as
        their mean, for gradients are averaged.
        """
        if isinstance(batch, Packed):
            tensors = batch.tokens, batch.targets, batch.part, batch.documents
            total, sums = self._packed(self.model, self.part_weights, *tensors)
        else:
            losses = self._padded(self.model, batch.tokens, batch.at, batch.targets)
            total, sums = weighted_sum(losses, batch.trace, ~batch.trace, self.part_weights)
        return total / (self._weight(batch.counts) / self._processes), sums

    def _weight(self, counts: Counts) -> float:
        """Total loss weight of a batch over all processes: the divisor of its mean loss."""
        solution = counts.completion_tokens - counts.trace_tokens
        return self.part_weights["trace"] * counts.trace_tokens + self.part_weights["solution"] * solution

    def training_step(self, batch: Batch | Packed, batch_index: int) -> Tensor:
        """The weighted mean loss of a batch."""
        loss, sums = self.loss(batch)
        self._count(batch)
        if self._at_log_step():
            self._log_losses("train", sums)
            self._log_speed()
        return loss

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
        """Clip by norm, log the norm, and refuse to go on when gradients are not finite.

        On GPUs to look is to wait, so that is done when something is logged or saved.
        """
        clip = float("inf") if gradient_clip_val is None else gradient_clip_val
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), clip)
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self._largest = torch.maximum(self._largest.to(norm.device), norm)
        if self._at_log_step() or not self._on_gpu:
            self._refuse_unless_finite()
        if self._at_log_step():
            lr = optimizer.param_groups[0]["lr"]
            self.log_dict({"train/grad_norm": norm, "train/lr": lr}, batch_size=1)

    def validation_step(self, batch: Batch | Packed, batch_index: int) -> None:
        """Add a batch to the sums over the validation set."""
        _, sums = self.loss(batch)
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in sums.items()}

    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation set, and when it was; its time is not training time."""
        self._log_losses("val", self._sums)
        self.log_dict(self._so_far())
        self._sums = {}
        self._clock = time.perf_counter()

    def on_train_start(self) -> None:
        """Start the clock; a run that is resumed after its end does nothing."""
        self._clock = time.perf_counter()
        self._stop_if_used()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the progress, and torch's random state for models that draw numbers (dropout)."""
        self._refuse_unless_finite()
        checkpoint["progress"] = asdict(self.progress)
        checkpoint["attention"] = self.attention
        checkpoint["precision"] = name_of(self.model.products)
        checkpoint["torch_rng"] = torch.get_rng_state()
        checkpoint["sharded"] = self.device_mesh is not None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        self.progress = Progress(**checkpoint["progress"])
        self.attention = checkpoint.get("attention", self.attention)
        torch.set_rng_state(checkpoint["torch_rng"])

    def _count(self, batch: Batch | Packed) -> None:
        now = time.perf_counter()
        minutes, self._clock = (now - self._clock) / 60, now
        if self.budget.unit == "minutes":  # rates follow it, so it must be the same everywhere
            minutes = most(minutes)
        counts, progress = batch.counts, self.progress
        progress.tokens += counts.tokens
        progress.completion_tokens += counts.completion_tokens
        progress.examples += counts.examples
        progress.minutes += minutes
        loader: Any = self.trainer.train_dataloader
        loader.trained = batch.after  # by itself it would be batches ahead
        self._throughput.add(counts, minutes)

    def _refuse_unless_finite(self) -> None:
        largest, self._largest = float(self._largest), torch.zeros(())
        if not math.isfinite(largest):
            raise ValueError(
                f"the gradient's norm is {largest} at step {self.progress.steps} (on a GPU: or since the "
                "log's last line). last.ckpt is not spoilt: lower the learning rate, or clip "
                "(trainer.gradient_clip_val=1)"
            )

    def _stop_if_used(self) -> None:
        self.trainer.should_stop |= self.budget.used(self.progress) >= 1.0

    def _at_log_step(self) -> bool:
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return (self.progress.steps + 1) % every == 0

    def _log_losses(self, stage: str, sums: dict[str, Tensor]) -> None:
        """Log means of trace, solution and both, over all processes."""
        if self._processes > 1:
            sums = {name: self.trainer.strategy.reduce(part, reduce_op="sum") for name, part in sums.items()}
        means = {name: sums[name] / sums[f"{name} tokens"] for name in ("trace", "solution")}
        weights = {name: self.part_weights[name] * sums[f"{name} tokens"] for name in ("trace", "solution")}
        total = sum(weights[name] * means[name].nan_to_num() for name in weights) / sum(weights.values())
        self.log(f"{stage}/loss", total, batch_size=1)
        for name, mean in means.items():
            if sums[f"{name} tokens"] > 0:
                self.log(f"{stage}/{name}_loss", mean, batch_size=1)

    def _log_speed(self) -> None:
        """Tokens and minutes so far, and how fast tokens went by since the last time."""
        loader: Any = self.trainer.train_dataloader
        figures = self._throughput.figures(self.model, loader.waited)
        self.log_dict({f"train/{name}": value for name, value in figures.items()} | self._so_far())

    def _so_far(self) -> dict[str, float]:
        """Tokens and minutes of training so far, without validation."""
        return {"train/tokens": float(self.progress.tokens), "train/minutes": self.progress.minutes}
