"""A loss that ranks a valid trace above its damaged twin (AFT), beside the one of next tokens.

    python -m tracelab.train trace=correct loss.ranking_weight=1 loss.ranking_bound=0.5

Wang et al. 2023 (arXiv 2309.02144), with the boundary as constraint. s is the mean log-probability per token
of a trace, from the word that opens it to the one that opens the solution:

    log(1 + exp(s_twin - s_valid) + exp(s_valid - 2 bound - s_twin))

The second term is least where the twin lies far below, the third keeps it from going further than the bound
(s_valid stands still there): both together are least at s_twin = s_valid - bound. Without a bound the third
is not there. Their negatives are samples with wrong answers; here they are traces that the verifier rejects.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tracelab.models.base import Model
from tracelab.runs.settings import Loss
from tracelab.training.budgeted import Recipe
from tracelab.training.learner import Learner
from tracelab.training.losses import Sums, total_weight, weighted_sum


class RankingLearner(Learner):
    """A learner with a ranking of traces. losses: its weight and its bound, and the weights of tokens."""

    def __init__(self, model: Model, recipe: Recipe, losses: Loss, **options: Any) -> None:
        super().__init__(model, recipe, losses.trace_weight, losses.solution_weight, **options)
        self.losses = losses

    def loss(self, batch: Any) -> tuple[Tensor, Sums]:
        """The learner's, and where a batch has twins, their ranking."""
        if batch.twins is None:
            return super().loss(batch)
        losses = self._padded(self.model, batch.tokens, batch.at, batch.targets)
        total, sums = weighted_sum(losses, batch.trace, ~batch.trace, self.part_weights)
        tokens, at, targets, invalid = batch.twins
        twin = row_means(-self._padded(self.model, tokens, at, targets), at, tokens, torch.ones_like(at))
        valid = row_means(-losses, batch.at, batch.tokens, with_next(batch.trace))
        ranking = ranking_loss(valid, twin, invalid, self.losses.ranking_bound)
        right = ((valid > twin) & invalid).sum() / invalid.sum()  # nan where no pair is ranked
        self.others = {"ranking_loss": ranking.detach(), "ranked_right": right}
        weight = self.losses.ranking_weight or 0.0
        return total / total_weight(batch.counts, self.part_weights) + weight * ranking, sums


def ranking_loss(valid: Tensor, twin: Tensor, invalid: Tensor, bound: float | None) -> Tensor:
    """The mean over the pairs that are ranked; 0 without any.

    valid, twin: (B,) mean log-probabilities, in nats; invalid: (B,) bool, which twins are.
    """
    apart = twin - valid
    terms = [torch.zeros_like(apart), apart]
    if bound is not None:
        terms.append(valid.detach() - 2 * bound - twin)
    return share(torch.stack(terms).logsumexp(0), invalid)


def row_means(values: Tensor, at: Tensor, tokens: Tensor, counted: Tensor) -> Tensor:
    """(n,) values at places of a padded batch -> (B,) the mean of each row's counted ones; 0 without any.

    at: (n,) places in the flattened (B, T) tokens; counted: (n,).
    """
    rows, none = at // tokens.shape[1], values.new_zeros(len(tokens))
    counts = none.index_add(0, rows, counted.to(values.dtype))
    return none.index_add(0, rows, values * counted) / counts.clamp(min=1)


def with_next(trace: Tensor) -> Tensor:
    """(n,) bool, which places are a trace's -> these, and the first behind each, which opens a solution."""
    both = trace.clone()
    both[1:] |= trace[:-1]
    return both


def share(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of the values that are counted; 0 without any."""
    return (values * counted).sum() / counted.sum().clamp(min=1)
