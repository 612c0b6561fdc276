"""Next-token training on completions, with a budget: the LightningModule.

    learner = Learner(model, Recipe(MuonAdamW, Linear(), Budget(minutes=10)))
    trainer.fit(learner, loader, val_loader)

The loss is a weighted mean over the completion tokens of a batch; weights of 1 and 1 make it plain. Several
processes share a batch, whose weight each of them knows. On GPUs nothing waits for the device between two
lines of the log, so that it is never without work.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from tracelab.batches.packing import Packed
from tracelab.batches.padding import Batch
from tracelab.models.base import Model
from tracelab.models.gpt import GPT
from tracelab.models.kernels import ON_GPUS, choose
from tracelab.training.accelerate import start_compilers
from tracelab.training.budgeted import Budgeted, Recipe
from tracelab.training.losses import (
    Sums,
    means,
    packed_loss,
    padded_losses,
    total_weight,
    weighted_sum,
    with_those_of,
)
from tracelab.training.processes import most
from tracelab.training.shards import shard
from tracelab.training.throughput import Throughput, peak_flops

STARTING = 2  # batches of a session in which a GPU's kernels are chosen and compiled


class Learner(Budgeted):
    """A model that learns to predict the tokens of completions.

    trace_weight, solution_weight: of a token in the loss. compile: torch.compile the loss, forward and
    backward; None does so on GPUs alone (on a CPU it pays for runs of more than five minutes). attention:
    the kernel for packed rows (`models.kernels`); auto is, of a resumed run, the one that it had, if it runs
    here.
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
        recipe: Recipe,
        trace_weight: float = 1.0,
        solution_weight: float = 1.0,
        compile: bool | None = None,
        attention: str = "auto",
    ) -> None:
        super().__init__(model, recipe)
        self.part_weights = {"trace": trace_weight, "solution": solution_weight}
        self.compile_losses = compile
        self.attention = attention
        self._padded: Any = padded_losses
        self._packed: Any = packed_loss
        self._on_gpu = False
        self._compiles = False
        self._processes = 1
        self._throughput = Throughput()
        self._clock = 0.0
        self._begun = 0  # batches of this session, as far as STARTING
        self._starting = 0.0  # seconds that they took
        self._largest = torch.zeros(())  # norm of a gradient since it was last looked at
        self.others: dict[str, Tensor] = {}  # losses of a batch beside its tokens', by name
        self._seen: Sums = {}  # of the step under way, which may have several batches
        self._sums: Sums = {}  # of the validation under way

    def setup(self, stage: str) -> None:
        """Compile, if so wished. On a CPU a step is then a fifth faster, after half a minute."""
        self._on_gpu = self.trainer.strategy.root_device.type == "cuda"
        wished = self._on_gpu if self.compile_losses is None else self.compile_losses
        self._compiles = wished and self.model.compiles
        self._processes = self.trainer.world_size
        if self._compiles and self._on_gpu:
            start_compilers()
        if self._compiles and self.device_mesh is None:
            torch._dynamo.config.optimize_ddp = False  # it would cut graphs that can't be cut
            if torch.are_deterministic_algorithms_enabled():
                torch._inductor.config.deterministic = True  # no kernel is chosen by its time
            self._padded = torch.compile(padded_losses, dynamic=True)
            self._packed = torch.compile(packed_loss, dynamic=False, fullgraph=True)
        peak = peak_flops(torch.cuda.get_device_name()) if self._on_gpu else None
        self._throughput.peak = peak and peak * self._processes

    def configure_model(self) -> None:
        """Shard the model, if the strategy is to."""
        if self.device_mesh is not None:
            shard(self.model, self.device_mesh["data_parallel"], self._compiles)

    def on_train_batch_start(self, batch: Batch | Packed, batch_index: int) -> None:
        """Choose the kernel for packed rows, once."""
        if isinstance(batch, Packed) and self.model.kernel != self.attention:
            assert isinstance(self.model, GPT), "other models are refused before training"
            with self.trainer.precision_plugin.forward_context():
                chosen = choose(self.attention, self.model, batch.documents)
            self.attention = self.trainer.strategy.broadcast(chosen)
            self.model.kernel = self.attention

    def loss(self, batch: Batch | Packed) -> tuple[Tensor, Sums]:
        """The weighted mean loss of a batch, and sums over its traces and its solutions.

        Of several processes each has a part of both: sums add up to the batch's, losses have the batch's as
        their mean, for gradients are averaged.
        """
        if isinstance(batch, Packed):
            if self._compiles:  # how many documents there are is no other program
                torch._dynamo.maybe_mark_dynamic(batch.documents.edges, 0)
            tensors = batch.tokens, batch.targets, batch.part, batch.documents
            total, sums = self._packed(self.model, self.part_weights, *tensors)
        else:
            losses = self._padded(self.model, batch.tokens, batch.at, batch.targets)
            total, sums = weighted_sum(losses, batch.trace, ~batch.trace, self.part_weights)
        return total / (total_weight(batch.counts, self.part_weights) / self._processes), sums

    def training_step(self, batch: Batch | Packed, batch_index: int) -> Tensor:
        """The weighted mean loss of a batch."""
        self.others = {}
        loss, sums = self.loss(batch)
        self._count(batch)
        self._seen = with_those_of(self._seen, sums)
        if self.trainer.fit_loop._should_accumulate():
            return loss
        if self._at_log_step():
            self._begin_row()
            self._log_losses("train", self._seen)
            self.log_dict({f"train/{name}": value for name, value in self.others.items()}, batch_size=1)
            self._log_speed()
        self._seen = {}
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Set the rates, take the step, and stop the training if it was the budget's last."""
        self.set_rates()
        super().optimizer_step(*args, **kwargs)
        self.progress.steps += 1
        self.stop_if_used()

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
        self._sums = with_those_of(self._sums, sums)

    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation set, and when it was; its time is not training time."""
        self._log_losses("val", self._sums)
        self.log_dict(self.so_far())
        self._sums = {}
        self._clock = time.perf_counter()

    def on_train_start(self) -> None:
        """Start the clock; a run that is resumed after its end does nothing."""
        self._clock = time.perf_counter()
        self.stop_if_used()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the progress and what the run has chosen; refuse to save weights that are not finite."""
        self._refuse_unless_finite()
        super().on_save_checkpoint(checkpoint)
        checkpoint["attention"] = self.attention
        checkpoint["sharded"] = self.device_mesh is not None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        super().on_load_checkpoint(checkpoint)
        before = checkpoint.get("attention", "auto")
        if self.attention == "auto" and (self._on_gpu or before not in ON_GPUS):
            self.attention = before

    def _count(self, batch: Batch | Packed) -> None:
        """Count a batch. While a GPU starts its minutes do not count: budget and rates are of training."""
        now = time.perf_counter()
        minutes = (now - self._clock) / 60
        self._clock = now
        starting = self._on_gpu and self._begun < STARTING
        if starting:
            self._begun += 1
            self._starting += 60 * minutes
            minutes = 0.0
        if self.recipe.budget.unit == "minutes":  # rates follow it, so it must be the same everywhere
            minutes = most(minutes)
        counts, progress = batch.counts, self.progress
        progress.tokens += counts.tokens
        progress.completion_tokens += counts.completion_tokens
        progress.examples += counts.examples
        progress.minutes += minutes
        progress.flops += self.model.flops(*counts.read)
        loader: Any = self.trainer.train_dataloader
        loader.trained = batch.after  # by itself it would be batches ahead
        if not starting:
            self._throughput.add(counts, minutes)

    def _refuse_unless_finite(self) -> None:
        largest = float(self._largest)
        self._largest = torch.zeros_like(self._largest)  # on its device: to copy it there would be to wait
        if not math.isfinite(largest):
            raise ValueError(
                f"the gradient's norm is {largest} at step {self.progress.steps} (on a GPU: or since the "
                "log's last line). last.ckpt is not spoilt: lower the learning rate (optim.optimizer.lr), or "
                "clip harder (trainer.gradient_clip_val=0.3)"
            )

    def _at_log_step(self) -> bool:
        """Is the step under way logged? Each `log_every_n_steps`th is, and the budget's last."""
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        after = replace(self.progress, steps=self.progress.steps + 1)
        return after.steps % every == 0 or self.recipe.budget.used(after) >= 1.0

    def _begin_row(self) -> None:
        """Forget what was logged before: Lightning would write it again, as if it were of this step."""
        results = self.trainer._results
        assert results is not None, "a step is under way"
        results.reset()

    def _log_losses(self, stage: str, sums: dict[str, Tensor]) -> None:
        """Log means of trace, solution and both, over all processes."""
        if self._processes > 1:
            sums = {name: self.trainer.strategy.reduce(part, reduce_op="sum") for name, part in sums.items()}
        for name, mean in means(sums, self.part_weights).items():
            self.log(f"{stage}/{name}", mean, batch_size=1)

    def _log_speed(self) -> None:
        """Tokens and minutes so far, and how fast tokens went by since the last time."""
        loader: Any = self.trainer.train_dataloader
        figures = self._throughput.figures(self.model, loader.waited)
        if self._on_gpu:
            figures["compile_seconds"] = self._starting
        self.log_dict({f"train/{name}": value for name, value in figures.items()} | self.so_far())
