"""Post-training under Lightning: sample, judge, reward, then one or several updates on what was sampled.

Optimisation is manual: a training step is a whole round of rollouts and updates. Several processes share
both; what is logged, counted and kept is of all of them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import torch

from tracelab.algorithms.base import Algorithm
from tracelab.decoding.logprobs import token_figures
from tracelab.models.base import Model
from tracelab.posttraining.groups import Sampled, Sampler, pairs_within
from tracelab.posttraining.rollout import Rollouts
from tracelab.posttraining.updates import Updater, Updates
from tracelab.runs.checkpoints import updates_of
from tracelab.training.accelerate import start_compilers
from tracelab.training.budgeted import Budgeted, Recipe
from tracelab.training.processes import most
from tracelab.training.validation import HeldOut, found_together

SILENT_ROUNDS = 20  # rounds without an update, in a row, before a warning
ENDLESS_ROUNDS = 200  # such rounds before a budget that they do not use is given up
ADVICE = (
    "take an easier task, a model that solves some problems, rollout.equal=hint, a larger rollout.group or "
    "rollout.max_new, or another reward"
)
SILENT = (
    "no completion had an advantage over others (with expert_iteration: earned algorithm.threshold) and was "
    f"trained on (updates.truncated=mask leaves out what was cut off), so nothing was learned: {ADVICE}"
)
NOTHING_LEARNED = f"no update was made, for {SILENT}"
ENDLESS = (
    f"budget.examples counts groups that updates are made of, and in {ENDLESS_ROUNDS} rounds there was none, "
    f"so that it would not end: {SILENT}; or take budget.steps, which counts such rounds, too"
)


class PostLearner(Budgeted):
    """A model that learns from the rewards of its own completions.

    reference: the frozen model that a KL term pulls to. held_out: measures the model every `every` rounds,
    before the first and after the last. compile: torch.compile the forward pass; None
    does so on GPUs alone.
    """

    shown: ClassVar = {  # in the progress line
        "reward": ("rollout/reward", ".4f"),
        "right": ("val/solution_valid", ".0%"),
        "strict": ("val/trace_strict", ".0%"),
    }

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        algorithm: Algorithm,
        sampler: Sampler,
        updates: Updates,
        held_out: HeldOut,
        every: int = 20,
        reference: Model | None = None,
        compile: bool | None = None,
    ) -> None:
        super().__init__(model, recipe)
        self.automatic_optimization = False
        self.algorithm = algorithm
        self.sampler = sampler
        self.updates = updates
        self.held_out = held_out
        self.every = every
        self.compile_forward = compile
        self._frozen = (reference,)  # in a tuple: its weights belong to no checkpoint
        self._learn: Updater | None = None
        self.made = 0  # updates
        self._silent = 0  # rounds without one, in a row

    def setup(self, stage: str) -> None:
        """Compile, if so wished. On a CPU an update then takes three quarters of the time, after minutes."""
        on_gpu = self.trainer.strategy.root_device.type == "cuda"
        wished = on_gpu if self.compile_forward is None else self.compile_forward
        wished = wished and self.model.compiles
        if wished and on_gpu:
            start_compilers()
        self._forward = torch.compile(token_figures, dynamic=True) if wished else token_figures

    def on_train_start(self) -> None:
        """Measure where it starts; a run that is resumed after its end does nothing."""
        reference = self._frozen[0]
        self._learn = Updater(
            self.model,
            self.algorithm,
            self.updates,
            reference and reference.to(self.device),
            optimizer=self.optimizers(),
            forward=self._forward,
            backward=self.manual_backward,
            max_new=self.sampler.settings.longest,
            temperature=self.sampler.settings.temperature,
        )
        if self.progress.steps == 0:
            self._report(self._measure() | self.so_far())
        self.stop_if_used()

    def training_step(self, batch: int, batch_index: int) -> None:
        """One round."""
        began = time.perf_counter()
        self.model.eval()
        rollouts, figures = self.sampler(self.model, self.used())
        sampled = time.perf_counter()
        figures = {f"rollout/{name}": value for name, value in figures.items()}
        self.model.train()
        self.set_rates()
        updates = 0
        if len(rollouts):
            assert self._learn is not None
            alone = getattr(self.trainer.model, "no_sync", nullcontext)  # updates add up gradients themselves
            with alone():
                learned, updates, groups = self._learn(rollouts)
            figures |= learned
            rollouts = rollouts.take(groups)
        figures["rollout/groups_trained_on"] = float(len(rollouts))
        self._note_silence(updates)
        ended = time.perf_counter()
        figures["rollout/seconds"] = sampled - began
        figures["update/seconds"] = ended - sampled
        self.progress.steps += 1
        self.progress.tokens += self.sampler.sampled.tokens
        self.progress.examples += len(rollouts)
        self.progress.completion_tokens += int(rollouts.completions.tokens.offsets[-1])
        self.progress.flops += flops_of(self.model, self.sampler.sampled, rollouts, self._passes())
        minutes = (ended - began) / 60  # rates follow a budget of them, so they must be the same everywhere
        self.progress.minutes += most(minutes) if self.recipe.budget.unit == "minutes" else minutes
        if self.progress.steps % self.every == 0 or self.used() >= 1.0:
            figures |= self._measure()
        self._report(figures | self.so_far())
        self.stop_if_used()

    def _passes(self) -> float:
        """Passes forward and backward of what is trained on; one forward alone is a third."""
        knobs, reference = self.updates, self._frozen[0]
        alone = (knobs.passes * knobs.parts > 1) + (reference is not None)
        return knobs.passes + alone / 3

    def _measure(self) -> dict[str, float]:
        self.model.eval()
        figures = found_together(self.held_out, self.trainer, self)
        return {f"val/{name}": value for name, value in figures.items()}

    def _report(self, figures: dict[str, float]) -> None:
        """Log, by round."""
        for logger in self.loggers:
            logger.log_metrics(figures, step=self.progress.steps)
        self.trainer.callback_metrics.update({k: torch.tensor(v) for k, v in figures.items()})

    def _note_silence(self, updates: int) -> None:
        """Warn of rounds without an update. ValueError if the budget would not end by them."""
        self.made += updates
        self._silent = 0 if updates else self._silent + 1
        if self._silent == SILENT_ROUNDS and self.trainer.is_global_zero:
            warnings.warn(f"in {SILENT_ROUNDS} rounds {SILENT}", stacklevel=2)
        if self._silent == ENDLESS_ROUNDS and self.recipe.budget.unit == "examples":
            raise ValueError(ENDLESS)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the progress, the updates, and where the streams are."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["updates"] = self.made  # `load_updates` reads it
        checkpoint["sampler"] = self.sampler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        super().on_load_checkpoint(checkpoint)
        self.made = updates_of(checkpoint)
        self.sampler.load_state_dict(checkpoint["sampler"])


def flops_of(model: Model, sampled: Sampled, rollouts: Rollouts, passes: float) -> float:
    """Operations of a round's matrix products: to sample is to go forward once, a third of `Model.flops`.

    rollouts: what updates are made of.
    """
    prompts, written = rollouts.prompts.lengths, rollouts.completions.tokens.lengths
    whole = np.repeat(prompts, rollouts.rewards.shape[1]) + written - 1
    learned = model.flops(int(whole.sum()), pairs_within(whole)) if len(whole) else 0.0
    return model.flops(sampled.places, sampled.pairs) / 3 + passes * learned


class Rounds:
    """An endless loader of nothing: what a round is trained on, it samples itself."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0
