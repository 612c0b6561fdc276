"""How many of its latents does an answer need? It is forced behind 0, 1, ... of them.

    found = forced(model, task, examples, run.settings.eval, max_new=40)
    found.accuracy, found.first, found.stable

Behind a prompt and some of the latents stands the word that opens the solution (if the format has one); the
model writes the rest, greedily. Early stopping of latents: Dilgren and Wiegreffe 2026 (arXiv 2604.04902).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.sampling import generate
from tracelab.models.base import Model
from tracelab.runs.settings import Sampling


class Answers(NamedTuple):
    """n forced answers. tokens: from the word on that opens solutions; valid: (n,) bool, is the solution?"""

    tokens: Ragged
    valid: NDArray[np.bool_]

    def same(self, other: Answers) -> NDArray[np.bool_]:
        """(n,): are they the same?"""
        return np.array([np.array_equal(a, b) for a, b in zip(self.tokens, other.tokens, strict=True)])


@dataclass(frozen=True)
class Forcing:
    """A model that is made to answer. Of `sampling` the batch size matters."""

    model: Model
    task: Task
    examples: Examples
    sampling: Sampling
    max_new: int

    def __call__(self, lead: Ragged) -> Answers:
        """Answers behind each prompt and what is to be read behind it (n rows), judged."""
        opens = self.task.codec.markers[1]
        opening = repeated([] if opens == ABSENT else [opens], len(self.examples))
        written = generate(
            self.model,
            self.task.prompts(self.examples).joined(lead).joined(opening),
            stop=self.task.codec.stop,
            max_new=self.max_new,
            batch_size=self.sampling.batch_size,
        ).tokens
        whole = opening.joined(written)
        return Answers(whole, self.task.judge(self.examples, whole).solution_valid)


@dataclass(frozen=True)
class Forced:
    """Answers to n problems behind k = 0, ..., K latents.

    answers: K + 1 of them; valid: (K + 1, n) bool, is the solution?; agrees: (K + 1, n) bool, is the answer
    the one behind all K?
    """

    answers: tuple[Answers, ...]
    valid: NDArray[np.bool_]
    agrees: NDArray[np.bool_]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """(K + 1,): the share of valid solutions behind so many latents."""
        share: NDArray[np.float64] = self.valid.mean(axis=1)
        return share

    @property
    def first(self) -> NDArray[np.int64]:
        """(n,): the least number of latents behind which the answer agrees."""
        least: NDArray[np.int64] = self.agrees.argmax(axis=0)
        return least

    @property
    def stable(self) -> NDArray[np.int64]:
        """(n,): the least number from which on it always does."""
        differs = ~self.agrees[::-1]
        agreeing = np.where(differs.any(axis=0), differs.argmax(axis=0), len(differs))  # at the end
        least: NDArray[np.int64] = len(differs) - agreeing
        return least


def forced(model: Model, task: Task, examples: Examples, sampling: Sampling, max_new: int) -> Forced:
    """Answers behind each number of the model's latents (`lead`), judged."""
    force, n = Forcing(model, task, examples, sampling, max_new), len(examples)
    answers = [force(repeated(model.lead[:k], n)) for k in range(len(model.lead) + 1)]
    valid, agrees = [one.valid for one in answers], [one.same(answers[-1]) for one in answers]
    return Forced(tuple(answers), np.array(valid), np.array(agrees))


def repeated(row: list[int] | tuple[int, ...], n: int) -> Ragged:
    """The row n times."""
    return Ragged.of([row] * n)
