"""What a reward sees, and the weighted sum that a run is rewarded by.

A reward is a file and a YAML. Shaping belongs here; the verdicts that are logged know nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracelab.core.types import Verdicts


@dataclass(frozen=True)
class Graded:
    """n completions: their verdicts, the task's levels of trace validity (weak to strong), and per completion
    its length in tokens, whether it was cut off, and the reference completion's length in tokens.
    """

    verdicts: Verdicts
    levels: tuple[str, ...]
    lengths: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    reference_lengths: NDArray[np.int64]


class Reward(Protocol):
    """weight: its factor in the sum. One that has `bounds` says what it gives at least and at most, before
    the weight.
    """

    weight: float

    def __call__(self, graded: Graded) -> NDArray[np.float64]:
        """(n,) rewards, before the weight."""


def total(rewards: Mapping[str, Reward], graded: Graded) -> NDArray[np.float64]:
    """(n,): the weighted sum. ValueError if a reward is not finite."""
    whole = np.zeros(len(graded.lengths))
    for name, reward in rewards.items():
        values = reward(graded)
        if not np.isfinite(values).all():
            raise ValueError(f"reward.{name} gave a value that is not finite: it would spoil the weights")
        whole += reward.weight * values
    return whole


def largest(rewards: Mapping[str, Reward]) -> float:
    """What the weighted sum is at most; infinite if a reward does not say what it gives."""
    bounds = [(each.weight, getattr(each, "bounds", (-np.inf, np.inf))) for each in rewards.values()]
    return sum(max(weight * low, weight * high) for weight, (low, high) in bounds)


def level_of(levels: tuple[str, ...], level: str) -> int:
    """The place of a level. ValueError if the task has none of that name."""
    if level not in levels:
        raise ValueError(f"level={level!r}: this task judges traces at the levels {', '.join(levels)}")
    return levels.index(level)
