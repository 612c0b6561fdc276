"""Training on files one after the other: each for an equal share of the budget, in the order asked for.

    python -m tracelab.train 'data.files=[easy.jsonl,hard.jsonl]' data.order=listed data.short_first=null

A chunk is a pass through one file, or as much of it as is left of the file's share. Where files begin follows
from the data and the budget alone: a resumed run goes on with the very next batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracelab.batches.loader import layout_of
from tracelab.batches.packing import Packing
from tracelab.batches.padding import Padding
from tracelab.runs.sets import Turns
from tracelab.training.budget import begun_with, build_budget
from tracelab.training.curriculum import Curriculum, Part, Quotas, quotas
from tracelab.training.settings import Training


def check_order(experiment: Training) -> None:
    """ValueError if there are no files to be trained on in order, or what else is set does not go with it."""
    data, unit = experiment.data, build_budget(experiment.budget).unit
    if data.order is None:
        return
    name = f"data.order={data.order}"
    if data.files is None:
        raise ValueError(f"{name} is of files, and there are none: name them, data.files=[easy.jsonl,...]")
    if data.short_first is not None:
        raise ValueError(
            f"{name} says which problems come first, and data.short_first={data.short_first:g} says so, too: "
            "take data.short_first=null, and so in the runs that this one is compared with"
        )
    if unit in ("minutes", "flops"):
        raise ValueError(
            f"{name} gives each file an equal share of the budget, and nobody knows how many problems go "
            f"into {unit}: give budget.tokens, steps or examples"
        )


def in_turn(experiment: Training, turns: Turns, before: Sequence[str] = ()) -> Curriculum:
    """The chunks of what is trained on in turn. before: budgets that the run had; what a larger one adds is
    the last turn's.
    """
    shares = [turn.share for turn, _ in turns]
    if experiment.data.order is None:
        return Curriculum(turns, quotas(experiment, shares, before))
    budget = begun_with(experiment.budget, before)
    each, layout = 1, None
    if budget.unit == "steps":
        each = experiment.trainer.get("accumulate_grad_batches", 1)
        layout = layout_of(experiment.data.batch_tokens, experiment.data.packing)
    amounts = [share * budget.amount * each for share in shares[:-1]]
    return Ordered(turns, Quotas(amounts, budget.unit == "examples"), layout, experiment.seed)


class Ordered(Curriculum):
    """k -> the k-th chunk of training sequences. layout: of batches, where these are what is shared out, not
    tokens or sequences.
    """

    def __init__(self, turns: Turns, quotas: Quotas, layout: Padding | Packing | None, seed: int) -> None:
        self.layout, self.seed = layout, seed
        super().__init__(turns, quotas)

    def _next(self) -> Part:
        """The next pass through the same file, or the first through the next one."""
        last = self._parts[-1] if self._parts else None
        chunk = last.chunk + 1 if last is not None and last.turn == self._turn else 0
        lengths = self._whole(self._turn, chunk).tokens.lengths
        return self._taken(chunk, 0, lengths) if self.layout is None else self._batched(chunk, lengths)

    def _batched(self, chunk: int, lengths: NDArray[np.int64]) -> Part:
        """The sequences that fill the batches which are left of the share, or all."""
        least, most = 1, len(lengths)
        if self._batches(lengths) > self._left:
            while least < most:
                middle = (least + most) // 2
                if self._batches(lengths[:middle]) < self._left:
                    least = middle + 1
                else:
                    most = middle
        return self._used(Part(self._turn, chunk, 0, most), self._batches(lengths[:most]))

    def _batches(self, lengths: NDArray[np.int64]) -> int:
        """How many batches the loader makes of these sequences in the next chunk."""
        assert self.layout is not None, "batches are counted"
        return len(self.layout.plan(lengths, self.seed, len(self._parts)))
