"""Training on several treatments in turn: chunks that change where a share of the budget is used.

    chunk = Curriculum(data.turns, quotas(experiment, data.turns))
    loader = Loader(chunk, ...)

A chunk is of one turn alone. A turn goes on with the problems behind those of the last one, so that none
comes again before the others were there. Where turns begin follows from the data, not from how far the
training is: a resumed run goes on with the very next batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import lightning
import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Sequences
from tracelab.runs.sets import Turns
from tracelab.training.budget import begun_with, step_tokens
from tracelab.training.settings import Training


class Quotas(NamedTuple):
    """What each turn but the last takes: tokens, or sequences where so counted."""

    amounts: Sequence[float]
    in_sequences: bool


def quotas(experiment: Training, shares: Sequence[float], before: Sequence[str] = ()) -> Quotas:
    """Shares of the budget, but the last, which takes the rest. Of one in steps they are about right: batches
    are not quite full. ValueError for a budget of minutes or FLOPs.

    before: budgets that the run had (run.json's extended_from). What a larger one adds is the last turn's, so
    that what was trained on stays where it was.
    """
    budget = begun_with(experiment.budget, before)
    if budget.unit in ("minutes", "flops"):
        raise ValueError(
            f"trace={experiment.names.trace} changes in the course of a training, by shares of its budget, "
            f"and nobody knows how many tokens go into {budget.unit}: give budget.tokens, steps or examples"
        )
    each = step_tokens(experiment) if budget.unit == "steps" else 1
    return Quotas([share * budget.amount * each for share in shares[:-1]], budget.unit == "examples")


class Part(NamedTuple):
    """What a chunk is: rows start..stop - 1 of a chunk of a turn."""

    turn: int
    chunk: int
    start: int
    stop: int


class Curriculum:
    """k -> the k-th chunk of training sequences, over all turns."""

    def __init__(self, turns: Turns, quotas: Quotas) -> None:
        self.turns, self.in_sequences = turns, quotas.in_sequences
        self._whole = lru_cache(2)(lambda turn, chunk: turns[turn][1](chunk))
        self._parts: list[Part] = []
        self._amounts = [*quotas.amounts, np.inf]
        self._turn, self._left = 0, self._amounts[0]  # of which the next chunk is, and how much is to come
        self._enter()

    def __call__(self, k: int) -> Sequences:
        """The sequences of a chunk."""
        part = self.part(k)
        return self._whole(part.turn, part.chunk).take(np.arange(part.start, part.stop))

    def part(self, k: int) -> Part:
        """What the k-th chunk is."""
        while len(self._parts) <= k:
            self._parts.append(self._next())
        return self._parts[k]

    def begins_anew(self, k: int) -> bool:
        """Does a turn begin with the k-th chunk whose optimiser begins anew?"""
        turn = self.part(k).turn
        return k > 0 and turn != self.part(k - 1).turn and self.turns[turn][0].anew

    def _next(self) -> Part:
        chunk, start = (self._parts[-1].chunk, self._parts[-1].stop) if self._parts else (0, 0)
        lengths = self._whole(self._turn, chunk).tokens.lengths
        if start == len(lengths):
            chunk, start = chunk + 1, 0
            lengths = self._whole(self._turn, chunk).tokens.lengths
        return self._taken(chunk, start, lengths[start:])

    def _taken(self, chunk: int, start: int, lengths: NDArray[np.int64]) -> Part:
        """The part that this turn takes of what is left of a chunk."""
        used = np.cumsum(np.ones(len(lengths)) if self.in_sequences else lengths)
        count = min(int(np.searchsorted(used, self._left)) + 1, len(used))
        return self._used(Part(self._turn, chunk, start, start + count), used[count - 1])

    def _used(self, part: Part, amount: float) -> Part:
        """The part, when its amount has been taken from the turn's quota."""
        self._left -= amount
        self._enter()
        return part

    def _enter(self) -> None:
        """Go on to the first turn whose quota is not used; what one took too much, the next lacks."""
        while self._left <= 0:
            self._turn += 1
            self._left += self._amounts[self._turn]


class BeginAnew(lightning.Callback):
    """Empties the optimiser's state where a turn wants it, before its first step."""

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """`trained` says which batch comes now."""
        loader: Any = trainer.train_dataloader
        k, batch = loader.trained
        if batch == 0 and loader.chunk.begins_anew(k):
            for optimizer in trainer.optimizers:
                optimizer.state.clear()
