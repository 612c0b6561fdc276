"""Completions as a policy's actions: their log-probabilities under a model, with gradient, in micro-batches.

    for micro in micro_batches(prompts, completions, tokens=8192):
        logprobs, entropy = evaluate(model, micro, temperature)   # (rows, T) each
    teacher_forced(model, prompts, completions)                   # the same in rows, without gradient

Log-probabilities are of the distribution that was sampled from: the same temperature as in the rollout.
Rows are right-padded behind their completions; what counts is known by lengths, never by token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core.ragged import Ragged
from tracelab.decoding.sharing import dealt
from tracelab.models.base import Model

MICRO_TOKENS = 16384  # of a micro-batch without gradient
ROUND = 8  # padded lengths are multiples, so that matrices have few shapes


class Micro(NamedTuple):
    """Some rows of a batch.

    rows: (B,) their places in it; tokens: (B, S) prompts and completions without the last token; at: (n,)
    places in the flattened (B * S) whose next token was sampled; targets: (n,) those; mask: (B, T) which
    of T places of a completion are tokens, in the order of `at`.
    """

    rows: Tensor
    tokens: Tensor
    at: Tensor
    targets: Tensor
    mask: Tensor


def micro_batches(prompts: Ragged, completions: Ragged, tokens: int) -> Iterator[Micro]:
    """Rows of near-equal lengths together, at most so many tokens with padding (but always one row)."""
    for piece in cut(prompts, completions, tokens):
        yield padded(prompts, completions, piece)


class Piece(NamedTuple):
    """Rows of a batch that are read together, as so many tokens each."""

    rows: NDArray[np.int64]
    width: int


def cut(prompts: Ragged, completions: Ragged, tokens: int) -> Iterator[Piece]:
    """What each of the micro-batches is made of."""
    lengths = prompts.lengths + completions.lengths - 1
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = -(-int(lengths[order[start]]) // ROUND) * ROUND
        yield Piece(order[start : start + max(1, tokens // width)], width)
        start += max(1, tokens // width)


def padded(prompts: Ragged, completions: Ragged, piece: Piece) -> Micro:
    """A piece as a micro-batch."""
    rows, width = piece
    before, after = prompts.lengths[rows], completions.lengths[rows]
    whole = [np.concatenate([prompts[int(row)], completions[int(row)]]) for row in rows]
    tokens = np.zeros((len(rows), width + 1), np.int64)
    place = np.arange(width + 1)
    tokens[place < (before + after)[:, None]] = np.concatenate(whole)
    sampled = (place[1:] >= before[:, None]) & (place[1:] < (before + after)[:, None])  # (B, width)
    at = np.flatnonzero(sampled)
    mask = np.arange(int(after.max())) < after[:, None]
    arrays = rows, np.ascontiguousarray(tokens[:, :-1]), at, tokens[:, 1:].ravel()[at], mask
    return Micro(*(torch.from_numpy(array) for array in arrays))


Forward = Callable[[Model, Tensor, Tensor, Tensor, float, bool], tuple[Tensor, Tensor]]


def token_figures(
    model: Model, tokens: Tensor, at: Tensor, targets: Tensor, temperature: float, entropy: bool
) -> tuple[Tensor, Tensor]:
    """-> (n,) log-probabilities of the targets, and (n,) entropies, in nats, of what they were sampled from.

    The arguments are those of a `Micro`. entropy: with its gradient?
    """
    hidden = model.hidden(tokens).flatten(0, 1)
    distributions = (model.logits(hidden[at]) / temperature).log_softmax(-1)  # (n, vocab_size)
    chosen = distributions.gather(1, targets[:, None])[:, 0]
    if not entropy:
        distributions = distributions.detach()
    return chosen, -(distributions.exp() * distributions).sum(-1)


def evaluate(
    model: Model,
    micro: Micro,
    temperature: float,
    entropy: bool = False,
    forward: Forward = token_figures,
) -> tuple[Tensor, Tensor]:
    """-> (B, T) log-probabilities of the sampled tokens, and the entropies of their distributions, in nats.

    0 where the mask is false. float32, whatever the model computes in. entropy: with its gradient? forward:
    `token_figures`, or the same compiled.
    """
    figures = forward(model, micro.tokens, micro.at, micro.targets, temperature, entropy)
    chosen, entropies = (lay_out(values, micro.mask) for values in figures)
    return chosen, entropies


def lay_out(values: Tensor, mask: Tensor) -> Tensor:
    """(n,) values in the order of the mask's true places -> (B, T)."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(mask, values)


def teacher_forced(model: Model, prompts: Ragged, completions: Ragged) -> Ragged:
    """Log-probabilities of completions' tokens, in nats, as the model reads them: rows as the completions'.

    float64, so that the sum of a row does not depend on its order. No completion may be empty. Processes may
    share it out (`sharing`).
    """
    found, device = np.zeros(len(completions.values)), model.device

    def read(piece: Piece) -> NDArray[np.float64]:
        moved = Micro(*(part.to(device) for part in padded(prompts, completions, piece)))
        with torch.no_grad(), model.computing():
            logprobs, _ = evaluate(model, moved, temperature=1.0)
        values: NDArray[np.float64] = logprobs.double().cpu().numpy()
        return values

    pieces = list(cut(prompts, completions, MICRO_TOKENS))
    for (rows, _), logprobs in zip(pieces, dealt(pieces, read), strict=True):
        for row, values in zip(rows.tolist(), logprobs, strict=True):
            begin, end = completions.offsets[row : row + 2]
            found[begin:end] = values[: end - begin]
    return Ragged(found, completions.offsets)


def sums(rows: Ragged) -> NDArray[np.float64]:
    """(n,) sums of rows of numbers."""
    return np.array([row.sum() for row in rows], np.float64)
