"""Structured dropping: each trace loses a random share of its structure (Dualformer).

Su et al. 2024 (arXiv 2410.09918): level 1 drops the closings, level 2 the costs too, level 3 a share of the
creations too, level 4 the whole trace; a level is drawn per example. There it is drawn anew each
time an example is trained on; with a frozen set it is drawn once, in a stream each problem is seen once.

In a backtracking trace conflicts stand for closings and propagations for creations: what goes first can
be told from what stays, what goes next is the bulk of the trace. It has no costs: level 2 is level 1, as in
deduction and hops. In arithmetic definitions by a number go first, then all numbers (at level 2 a computation
is left with its operator and its name alone), then a share of the computations, whatever their operator.
In a deduction failures of goals go first, then a share of the applications of rules; of hops the joins. In a
game's tree values that are returned go first, then those of leaves and cuts, then a share of the moves.

    python -m tracelab.train trace=dropped
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random, Words
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.core.ragged import Ragged, offsets_of
from tracelab.core.rng import uniform
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_rows

PARTS = (
    ("close", ("create",)),
    ("conflict", ("propagate",)),
    ("let", ("add", "sub", "mul")),
    ("fail", ("apply",)),
    ("return", ("enter",)),
    ("join", ("hop",)),
)  # by grammar: dropped first, and in shares
LEVELS = ("nothing", "closes", "costs", "creates", "everything")
# chances of the levels, added up; share of creations dropped; codes of what is dropped in shares, and first
Knobs = tuple[NDArray[np.float64], float, Integers, int]


@dataclass(frozen=True)
class Dropped(Treatment):
    """Drop by levels. levels: the probability of each of LEVELS; creates: share dropped at level 3."""

    levels: Sequence[float] = (0.45, 1 / 6, 1 / 6, 1 / 6, 0.05)
    creates: float = 0.3

    def __post_init__(self) -> None:
        if len(self.levels) != len(LEVELS) or min(self.levels) < 0 or abs(sum(self.levels) - 1) > 1e-6:
            raise ValueError(
                f"trace.levels={list(self.levels)} must be {len(LEVELS)} probabilities that sum to 1, "
                f"one for dropping each of: {', '.join(LEVELS)}"
            )
        if not 0 <= self.creates <= 1:
            raise ValueError(f"trace.creates={self.creates} is a share: it must be in [0, 1]")

    def check(self, task: Task) -> None:
        """ValueError if the task's traces have other operations."""
        _codes(task)

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Traces without what was dropped; operands that were dropped are left out by the codec."""
        costs = np.array([c.role == "cost" for c in task.columns])
        level, keep = self._draw(examples.trace, keys, *_codes(task))
        rows, lengths = examples.trace.values, examples.trace.lengths
        thin = np.repeat(level >= LEVELS.index("costs"), lengths)
        thinned = np.where(thin[:, None] & costs, ABSENT, rows)
        return from_rows(task, examples, Ragged(thinned[keep], _ends_of(keep, examples.trace)))

    def _draw(
        self, trace: Ragged, keys: Keys, close: int, creates: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """-> each example's level (n,) and which of all rows are kept."""
        level, keep = np.empty(len(keys), np.int64), np.empty(len(trace.values), np.bool_)
        thresholds = np.cumsum(np.asarray(self.levels, np.float64))[:-1]
        random = np.empty(1, np.uint64)
        knobs = (thresholds, float(self.creates), creates, close)
        _draw(trace.values, trace.offsets, keys, knobs, random, level, keep)
        return level, keep


def _codes(task: Task) -> tuple[int, NDArray[np.int64]]:
    """The codes of what is dropped first, and of what in shares. ValueError if traces have none of PARTS."""
    ops = tuple(task.codec.format.trace)
    for close, creates in PARTS:
        if {close, *creates} <= set(ops):
            return ops.index(close), np.array([ops.index(op) for op in creates])
    known = " or ".join(f"{', '.join(creates)} and {close}" for close, creates in PARTS)
    raise ValueError(f"trace=dropped is for traces of {known}; those of {task.name} have {ops}")


def _ends_of(keep: NDArray[np.bool_], trace: Ragged) -> NDArray[np.int64]:
    """Offsets of the rows that are kept."""
    return offsets_of(keep.astype(np.int64))[trace.offsets]


@kernel
def _draw(
    rows: Integers,
    offsets: Integers,
    keys: Words,
    knobs: Knobs,
    random: Random,
    level: Integers,
    keep: Flags,
) -> None:
    thresholds, share, creates, close = knobs
    for i in range(len(keys)):
        random[0] = keys[i]
        coin, level[i] = uniform(random), 0
        for t in thresholds:
            level[i] += coin >= t
        for r in range(offsets[i], offsets[i + 1]):
            keep[r] = level[i] < 4 and not (level[i] >= 1 and rows[r, 0] == close)
            for create in creates:
                if level[i] == 3 and rows[r, 0] == create:
                    keep[r] = uniform(random) >= share
