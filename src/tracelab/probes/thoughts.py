"""What a model's latents are: the states at their places, the words that these say, and other inputs.

    thoughts = thoughts_of(model, task.prompts(examples))
    readings(model, thoughts.states, top=10)             # (n, K + 1, 10) words, as the head reads them
    for name, inputs in replaced(thoughts.inputs, seed=0, noise=1.0):
        ...                                              # with `imposed`, answered behind these

Place 0 is the last of the prompt, whose state the first latent is made of; places 1 to K are the latents.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.decoding.sharing import dealt
from tracelab.models.base import Model
from tracelab.models.latent import given
from tracelab.probes.moments import in_batches

BATCH_TOKENS = 16384  # read at once
REPLACED = ("removed", "noised", "mean", "permuted", "other")


class Thoughts(NamedTuple):
    """What n problems' latents are. states: (n, K + 1, width), before the head; inputs: (n, K, width)."""

    states: Tensor
    inputs: Tensor


@torch.no_grad()
def thoughts_of(model: Any, prompts: Ragged) -> Thoughts:
    """A model's own thoughts behind prompts."""
    states = states_of(model, prompts, model.opened(prompts))
    inputs = model.feed.inputs(states[:, :-1].to(model.device)).float().cpu()
    return Thoughts(states, inputs)


@torch.no_grad()
def states_of(model: Model, prompts: Ragged, opened: Ragged) -> Tensor:
    """(n, K + 1, width): states at the last place of each prompt, and at the K behind it."""
    found: list[Tensor] = [torch.empty(0)] * len(opened)

    def read(rows: NDArray[np.int64]) -> list[Tensor]:
        tokens = np.zeros((len(rows), int(opened.lengths[rows[0]])), np.int64)
        for k, row in enumerate(rows):
            tokens[k, : opened.lengths[row]] = opened[int(row)]
        with model.computing():
            hidden = model.hidden(torch.from_numpy(tokens).to(model.device)).float().cpu()
        return [
            hidden[k, prompts.lengths[row] - 1 : opened.lengths[row]].clone() for k, row in enumerate(rows)
        ]

    pieces = in_batches(opened.lengths, BATCH_TOKENS)
    for rows, states in zip(pieces, dealt(pieces, read), strict=True):
        for row, state in zip(rows.tolist(), states, strict=True):
            found[row] = state
    return torch.stack(found)


@torch.no_grad()
def readings(model: Model, states: Tensor, top: int) -> NDArray[np.int64]:
    """(n, places, top): the likeliest words at each place, as the model's head reads the states."""
    logits = model.logits(states.to(model.device))
    words: NDArray[np.int64] = logits.topk(min(top, logits.shape[-1])).indices.cpu().numpy()
    return words


def replaced(inputs: Tensor, seed: int, noise: float) -> Iterator[tuple[str, Tensor]]:
    """What is put in the place of latents' inputs, by name: (n, K, width), removed with K = 0.

    noised: with normal noise of `noise` times their size; mean: over the problems, at each place; permuted:
    each problem's in another order; other: another problem's.
    """
    n, K, _ = inputs.shape
    random = rng.rng(seed, "test", 0, "latents")
    yield "removed", inputs[:, :0]
    drawn = torch.from_numpy(random.normal(size=inputs.shape).astype(np.float32))
    yield "noised", inputs + noise * inputs.square().mean().sqrt() * drawn
    yield "mean", inputs.mean(0, keepdim=True).expand_as(inputs)
    by = random.integers(1, max(K, 2), n)  # of one latent there is no other order
    order = (np.arange(K) + by[:, None]) % max(K, 1)
    yield "permuted", inputs[torch.arange(n)[:, None], torch.from_numpy(order)]
    yield "other", inputs[torch.from_numpy(others(n, random))]


def others(n: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(n,): for each problem another one, each once."""
    order, donor = random.permutation(n), np.empty(n, np.int64)
    donor[order] = np.roll(order, 1)
    return donor


@contextmanager
def imposed(model: Model, inputs: Tensor) -> Iterator[Ragged]:
    """The tokens behind each prompt whose inputs are these, (n, K, width), while the context lasts."""
    n, K, width = inputs.shape
    first = model.vocab_size + 1
    tokens = np.arange(first, first + n * K, dtype=np.int32)
    with given(model, inputs.reshape(n * K, width).to(model.device)):
        yield Ragged(tokens, np.arange(n + 1, dtype=np.int64) * K)
