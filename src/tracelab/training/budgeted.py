"""What training and post-training have in common as LightningModules: a model that is optimised for a budget.

    recipe = Recipe(MuonAdamW, Linear(), Budget(minutes=10))

How the loss comes about, and what is logged, is for `Learner` and `PostLearner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import lightning
import torch
from torch.optim import Optimizer

from tracelab.models.base import Model
from tracelab.models.precision import name_of
from tracelab.optim.muon import MuonAdamW
from tracelab.runs.build import build_optim
from tracelab.runs.settings import Experiment
from tracelab.training.budget import Budget, Progress, build_budget


@dataclass(frozen=True)
class Recipe:
    """How a model is optimised: with what, at which rates, for how long.

    optimizer: model -> optimiser; schedule: (steps done, share of the budget used) -> factor on the
    learning rates.
    """

    optimizer: Callable[[Model], Optimizer]
    schedule: Callable[[int, float], float]
    budget: Budget


def build_recipe(experiment: Experiment) -> Recipe:
    """The recipe that an experiment's `optim` and `budget` describe."""
    return Recipe(**build_optim(experiment.optim), budget=build_budget(experiment.budget))


class Budgeted(lightning.LightningModule):
    """A model, its recipe, and how much of the budget is used: `progress`, which checkpoints keep."""

    def __init__(self, model: Model, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.progress = Progress()

    def used(self) -> float:
        """The share of the budget that is used, from 0 to 1."""
        return self.recipe.budget.used(self.progress)

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its rates are set before each step. Several processes share Muon's work."""
        optimizer = self.recipe.optimizer(self.model)
        if isinstance(optimizer, MuonAdamW):
            optimizer.shares = self.trainer.world_size > 1
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
        return optimizer

    def set_rates(self) -> None:
        """Set the learning rates of the next step, by the schedule."""
        factor = self.recipe.schedule(self.progress.steps, self.used())
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["peak_lr"] * factor

    def stop_if_used(self) -> None:
        """End the training where the budget is used."""
        self.trainer.should_stop |= self.used() >= 1.0

    def so_far(self) -> dict[str, float]:
        """Tokens, minutes and FLOPs of training so far, without validation, and the share of the budget."""
        return {
            "train/tokens": float(self.progress.tokens),
            "train/minutes": self.progress.minutes,
            "train/flops": self.progress.flops,
            "train/used": self.used(),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the progress, the precision, and torch's random state for models that draw numbers."""
        checkpoint["progress"] = asdict(self.progress)
        checkpoint["precision"] = name_of(self.model.products)
        checkpoint["torch_rng"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        self.progress = Progress(**checkpoint["progress"])
        torch.set_rng_state(checkpoint["torch_rng"])
