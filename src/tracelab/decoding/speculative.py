"""Speculative decoding in reverse: what is proposed is written, but where a model finds it too unlikely.

    written, own = rewritten(model, prompts, proposed, threshold=0.01, words=allowed)

Jaehoon Kim et al. 2025 (arXiv 2509.22230): the model is the student, and a teacher proposes one token after
the other. Here all that is proposed is known beforehand, so that a token of the student's does not change
what is proposed next. The student's own is its likeliest; there, it is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core.ragged import Ragged
from tracelab.decoding.sampling import left_pad
from tracelab.models.base import Model

ROWS = 256  # that are read together


def rewritten(
    model: Model, prompts: Ragged, proposed: Ragged, threshold: float, words: Sequence[int]
) -> tuple[Ragged, Ragged]:
    """-> (proposed tokens, each of which was likelier than the threshold behind those before it, or is the
    model's likeliest of `words`; bool, which are the model's).
    """
    written, own = proposed.values.astype(np.int32), np.zeros(len(proposed.values), np.bool_)
    order = np.argsort(-proposed.lengths, kind="stable")
    for first in range(0, len(order), ROWS):
        rows = order[first : first + ROWS]
        with torch.no_grad(), model.computing():
            tokens, mine = _rewritten(model, prompts.take(rows), proposed.take(rows), threshold, words)
        for k, row in enumerate(rows.tolist()):
            begin, end = proposed.offsets[row : row + 2]
            written[begin:end], own[begin:end] = tokens[k, : end - begin], mine[k, : end - begin]
    return Ragged(written, proposed.offsets), Ragged(own, proposed.offsets)


def _rewritten(
    model: Model, prompts: Ragged, proposed: Ragged, threshold: float, words: Sequence[int]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """(B, T) each; what stands behind a row's end means nothing."""
    device = model.device
    steps = torch.from_numpy(_right_pad(proposed)).to(device)  # (B, T)
    own, forbidden = torch.zeros_like(steps, dtype=torch.bool), torch.ones(model.vocab_size, dtype=torch.bool)
    forbidden[list(words)] = False
    forbidden = forbidden.to(device)
    new, start = left_pad(prompts, device)
    cache = model.reading(start)
    for t in range(steps.shape[1]):
        logits = model.logits(model.hidden(new, cache)[:, -1])  # (B, vocab_size)
        likely = logits.softmax(-1).gather(1, steps[:, t : t + 1])[:, 0]
        own[:, t] = likely < threshold
        steps[:, t] = _chosen(logits.masked_fill(forbidden, float("-inf")), steps[:, t], own[:, t])
        new = steps[:, t : t + 1]
    return steps.int().cpu().numpy(), own.cpu().numpy()


def _chosen(logits: Tensor, proposed: Tensor, own: Tensor) -> Tensor:
    """(B,) what is written."""
    return torch.where(own, logits.argmax(-1), proposed)


def _right_pad(rows: Ragged) -> NDArray[np.int64]:
    """(B, T), zeros behind each row's end."""
    padded = np.zeros((len(rows), int(rows.lengths.max())), np.int64)
    padded[np.arange(padded.shape[1]) < rows.lengths[:, None]] = rows.values
    return padded
