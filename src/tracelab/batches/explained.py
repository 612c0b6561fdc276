"""Sequences of latents with what these stand for, and what a batch of them has beside its tokens.

    sequences = Explained(tokens, prompt, trace, steps, latent, explicit, opened)
    beside(sequences, pad)

For losses of latents (`training.latents`): the steps that each latent stands for, and the same problems with
their whole traces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core.codec import Sequences
from tracelab.core.ragged import Integers, Ragged


@dataclass(frozen=True, slots=True)
class Explained(Sequences):
    """Sequences whose prompts end in latents, `count` (n,) of them each.

    steps: the tokens of the steps that a row's latents stand for; latent: for each of these tokens, which of
    the row's latents, in order; explicit: the rows with whole traces and without latents; opened: does a word
    open solutions? taught: are the explicit rows read, too (for distillation)?
    """

    count: NDArray[np.int64]
    steps: Ragged
    latent: Ragged
    explicit: Sequences
    opened: bool
    taught: bool = True

    @property
    def longest(self) -> int:
        """The tokens of the longest of all that is read: rows, explicit rows, the steps of one latent."""
        row = np.repeat(np.arange(len(self)), self.steps.lengths)
        latents = np.stack([row, self.latent.values])
        steps = np.unique(latents, axis=1, return_counts=True)[1].max(initial=0)
        whole = self.explicit.longest if self.taught else 0
        return max(int(self.tokens.lengths.max(initial=0)), whole, int(steps))

    def take(self, rows: Integers) -> Explained:
        """The given sequences, in the given order."""
        plain = Sequences(self.tokens, self.prompt, self.trace).take(rows)
        ragged = self.steps.take(rows), self.latent.take(rows), self.explicit.take(rows)
        parts = plain.tokens, plain.prompt, plain.trace, self.count[rows], *ragged
        return Explained(*parts, self.opened, self.taught)


class Beside(NamedTuple):
    """What a batch of B rows has beside its tokens.

    row, before: (m,) the row of each latent that stands for steps, and the place before it, whose state it is
    made of; steps: (m, S) the tokens of these steps, right-padded; written: (m, S) bool, which are there.
    tokens: (B, T) the rows with whole traces; answer, explicit: (B,) the place that an answer is written
    from, in the row with latents and in this one; at, targets: as of `Batch`, of this one.
    """

    row: Tensor
    before: Tensor
    steps: Tensor
    written: Tensor
    tokens: Tensor
    answer: Tensor
    explicit: Tensor
    at: Tensor
    targets: Tensor


def beside(sequences: Explained, explicit: tuple[Tensor, Tensor, Tensor]) -> Beside:
    """What these sequences have beside their tokens. explicit: tokens, at and targets of that, padded."""
    row = np.repeat(np.arange(len(sequences)), sequences.steps.lengths)
    latents, where, lengths = np.unique(
        np.stack([row, sequences.latent.values]), axis=1, return_inverse=True, return_counts=True
    )
    within = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    steps = np.zeros((len(lengths), int(lengths.max(initial=1))), np.int64)
    written = np.zeros(steps.shape, np.bool_)
    steps[where.ravel(), within], written[where.ravel(), within] = sequences.steps.values, True
    first = sequences.prompt - sequences.count
    before = first[latents[0]] + latents[1] - 1
    whole = sequences.explicit
    places = (part.prompt + part.trace + sequences.opened - 1 for part in (sequences, whole))
    answer, place = (torch.from_numpy(part.astype(np.int64)) for part in places)
    tokens, at, targets = explicit
    rows, states = (torch.from_numpy(part.astype(np.int64)) for part in (latents[0], before))
    padded = torch.from_numpy(steps), torch.from_numpy(written)
    return Beside(rows, states, *padded, tokens, answer, place, at, targets)
