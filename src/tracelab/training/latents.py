"""Losses of latents: their steps decoded (SIM-CoT), and a whole trace's answer as the teacher (CODI).

    python -m tracelab.train trace=latent loss.step_weight=1
    python -m tracelab.train trace=latent loss.distillation_weight=1

steps (Wei et al. 2025, arXiv 2509.20317): a decoder of the model's shape, which begins with its weights,
reads a latent as it is fed to the model and writes the steps that it stands for. The mean cross-entropy of
their tokens is added. The decoder is trained along and then left behind: it is in the checkpoint, not in the
model.

distillation (Shen et al. 2025, arXiv 2502.21074): the same model also reads the problem with its whole
trace. At the place that the answer is written from, states of the latents' row are drawn to those of this
one, which stand still: the smooth L1 distance over their standard deviation, averaged over layers. The model
learns whole traces, too, with the teacher's weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss
from torch.optim import Optimizer

from tracelab.batches.explained import Beside
from tracelab.batches.padding import Batch
from tracelab.models.base import Model
from tracelab.models.places import Seen, capture, in_columns
from tracelab.runs.settings import Loss
from tracelab.training.budgeted import Recipe
from tracelab.training.learner import Learner
from tracelab.training.losses import Sums, total_weight, weighted_sum

LEAST = 1e-6  # of a deviation that is divided by


class LatentLearner(Learner):
    """A learner with losses of latents. decoder: None where no steps are decoded; losses: their weights."""

    def __init__(
        self, model: Model, recipe: Recipe, decoder: Model | None, losses: Loss, **options: Any
    ) -> None:
        super().__init__(model, recipe, losses.trace_weight, losses.solution_weight, **options)
        self.decoder, self.losses = decoder, losses

    def loss(self, batch: Any) -> tuple[Tensor, Sums]:
        """The learner's, and where a batch is explained, what is asked of its latents."""
        if batch.beside is None:
            return super().loss(batch)
        layers = layers_of(self.model) if self.losses.distillation_weight else []
        with capture(self.model, *layers) as seen:
            hidden = self.model.hidden(batch.tokens)
        total, sums = self._predicted(hidden, batch)
        more = {}
        if self.decoder is not None:
            steps = step_loss(self.model, self.decoder, hidden, batch.beside)
            more["steps"] = (self.losses.step_weight or 0.0) * steps
        if layers:
            distance, teacher = distillation(self.model, batch.tokens, seen, batch.beside)
            weight = self.losses.teacher_weight
            more["distillation"] = (self.losses.distillation_weight or 0.0) * distance
            more["teacher"] = (1.0 if weight is None else weight) * teacher
        self.others = {f"{name}_loss": part.detach() for name, part in more.items()}
        return total + torch.stack([*more.values()]).sum(), sums

    def _predicted(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Sums]:
        """The weighted mean cross-entropy of what is written, and sums to log."""
        logits = self.model.logits(hidden.flatten(0, 1)[batch.at])
        losses = cross_entropy(logits, batch.targets, reduction="none")
        total, sums = weighted_sum(losses, batch.trace, ~batch.trace, self.part_weights)
        return total / total_weight(batch.counts, self.part_weights), sums

    def configure_optimizers(self) -> Optimizer:
        """One optimiser for model and decoder; none of the decoder's matrices is Muon's."""
        if self.decoder is None:
            return super().configure_optimizers()
        both: Any = Both(self.model, self.decoder)  # all that an optimiser asks of a model
        optimizer = self.recipe.optimizer(both)
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
        return optimizer


class Both(nn.Module):
    """A model's parameters, and behind them a decoder's, whose names are those of a head."""

    def __init__(self, model: Model, decoder: Model) -> None:
        super().__init__()
        self.model, self.decoder = model, decoder
        self.stacks, self.products = model.stacks, model.products

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """See the class."""
        yield from self.model.named_parameters()
        for name, parameter in self.decoder.named_parameters():
            yield f"head_of_steps.{name}", parameter


def layers_of(model: Model) -> list[str]:
    """The places behind a model's layers."""
    return [f"blocks.{i}" for i in range(len(model.blocks))]


def step_loss(model: Any, decoder: Model, hidden: Tensor, beside: Beside) -> Tensor:
    """Mean cross-entropy, in nats per token, of the steps that latents stand for; 0 without any.

    hidden: (B, T, width) of the rows with latents.
    """
    if not len(beside.row):
        return hidden.sum() * 0.0
    latents = model.feed.inputs(hidden[beside.row, beside.before][:, None])
    words = decoder.embedded(beside.steps[:, :-1])
    read = torch.cat([latents.to(words.dtype), words], 1)
    logits = decoder.logits(decoder.hidden(read)[beside.written])
    return cross_entropy(logits, beside.steps[beside.written])


def distillation(model: Any, tokens: Tensor, seen: Seen, beside: Beside) -> tuple[Tensor, Tensor]:
    """The distance of states from the teacher's, and the teacher's own mean cross-entropy.

    tokens: (B, T) the rows with latents; seen: what the model had behind each layer as it read them.
    """
    layers = layers_of(model)
    with capture(model, *layers) as taught:
        hidden = model.hidden(beside.tokens)
    row, distances = torch.arange(len(tokens), device=tokens.device), []
    for layer in layers:
        mine = in_columns(model, tokens, seen, layer)[row, beside.answer].float()
        theirs = taught.whole(layer)[row, beside.explicit].detach().float()
        distances.append(smooth_l1_loss(mine, theirs) / theirs.std().clamp(min=LEAST))
    logits = model.logits(hidden.flatten(0, 1)[beside.at])
    return torch.stack(distances).mean(), cross_entropy(logits, beside.targets)
