"""The loss of a batch, padded or packed: a weighted mean of cross-entropies over completion tokens.

Its sum is taken here and divided in `learner`, where the weight of the whole batch is known: here may be no
more than one process's share.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from tracelab.batches.documents import Documents
from tracelab.batches.packing import SOLUTION, TRACE
from tracelab.batches.padding import Counts
from tracelab.models.base import Model

CHUNK = 8192  # tokens of a packed batch whose logits exist at a time
GPU_LOGITS = 2**30  # bytes of logits that exist at a time on a GPU, see `chunk_of`

Sums = dict[str, Tensor]


def padded_losses(model: Model, tokens: Tensor, at: Tensor, targets: Tensor) -> Tensor:
    """(n,) cross-entropies in nats at the n places of a padded batch that are to be predicted."""
    hidden = model.hidden(tokens).flatten(0, 1)  # (B * T, width)
    return cross_entropy(model.logits(hidden[at]), targets, reduction="none")


def packed_losses(model: Model, tokens: Tensor, targets: Tensor, documents: Documents) -> Tensor:
    """(R * T,) cross-entropies at all places of a packed batch.

    Of logits, R * T * vocab_size floats and as many in their gradient, only a chunk exists at a time: those
    that the backward pass needs are computed again there. What is one chunk is not computed again.
    """
    hidden = model.hidden(tokens, documents=documents).flatten(0, 1)
    targets, chunk = targets.flatten(), chunk_of(model.vocab_size, hidden)

    def of_chunk(hidden: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(model.logits(hidden), targets, reduction="none")

    if len(hidden) <= chunk:
        return of_chunk(hidden, targets)
    chunks = zip(hidden.split(chunk), targets.split(chunk), strict=True)
    again = partial(checkpoint, of_chunk, use_reentrant=False, preserve_rng_state=False)
    return torch.cat([again(*chunk) for chunk in chunks])


def chunk_of(vocab_size: int, hidden: Tensor) -> int:
    """Tokens of a chunk of logits.

    On GPUs as many as memory bears: the compiler makes one kernel of all chunks, whose registers do not
    suffice for many of them, and every chunk is a product and a launch more.
    """
    return max(CHUNK, GPU_LOGITS // (4 * vocab_size)) if hidden.is_cuda else CHUNK


def packed_loss(
    model: Model,
    weights: Mapping[str, float],
    tokens: Tensor,
    targets: Tensor,
    part: Tensor,
    documents: Documents,
) -> tuple[Tensor, Sums]:
    """The weighted sum over a packed batch, and what is logged of it: one graph of fixed shapes."""
    losses = packed_losses(model, tokens, targets, documents)
    part = part.flatten()
    return weighted_sum(losses, part == TRACE, part == SOLUTION, weights)


def weighted_sum(
    losses: Tensor, trace: Tensor, solution: Tensor, weights: Mapping[str, float]
) -> tuple[Tensor, Sums]:
    """(n,) losses, and which are of traces and of solutions -> their weighted sum, and sums to log."""
    weight = trace * weights["trace"] + solution * weights["solution"]
    detached = losses.detach()
    sums = {
        "trace": (detached * trace).sum(),
        "trace tokens": trace.sum(),
        "solution": (detached * solution).sum(),
        "solution tokens": solution.sum(),
    }
    return (losses * weight).sum(), sums


def with_those_of(sums: Sums, more: Sums) -> Sums:
    """The sums with those of one batch more."""
    return {name: sums[name] + value if name in sums else value for name, value in more.items()}


def total_weight(counts: Counts, weights: Mapping[str, float]) -> float:
    """Total loss weight of a batch over all processes: the divisor of its mean loss.

    ValueError if it is 0.
    """
    solution = counts.completion_tokens - counts.trace_tokens
    total = weights["trace"] * counts.trace_tokens + weights["solution"] * solution
    if total == 0:
        part = next(name for name, weight in weights.items() if weight == 0)
        raise ValueError(
            f"loss.{part}_weight=0, and a batch has no other tokens, so that its loss is a mean of nothing: "
            f"give them a weight, such as loss.{part}_weight=0.1"
        )
    return total


def means(sums: Sums, weights: Mapping[str, float]) -> dict[str, Tensor]:
    """Sums of `weighted_sum` -> "loss", the weighted mean, and those of the parts that have tokens."""
    parts = {name: sums[name] / sums[f"{name} tokens"] for name in ("trace", "solution")}
    trace, solution = (weights[name] * sums[f"{name} tokens"] for name in parts)
    known = {name: torch.where(sums[f"{name} tokens"] > 0, mean, 0.0) for name, mean in parts.items()}
    total = trace * known["trace"] + solution * known["solution"]
    present = {f"{name}_loss": mean for name, mean in parts.items() if sums[f"{name} tokens"] > 0}
    return {"loss": total / (trace + solution), **present}
