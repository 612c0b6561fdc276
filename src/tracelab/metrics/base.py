"""What a metric is: outcomes of one test set in, named estimates out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tracelab.core.stats import clustered


@dataclass(frozen=True)
class Estimate:
    """A figure with the n it rests on and, where there is one, its 95 % interval."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (n={self.n})"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a figure of nothing is null."""
        return {k: None if v is not None and np.isnan(v) else v for k, v in asdict(self).items()}


def share(flags: NDArray[np.bool_], problems: NDArray[Any]) -> Estimate:
    """A share of completions with its interval; of none, not a number. problems: (n,), whose each one is."""
    n, k = len(flags), int(flags.sum())
    if n == 0:
        return Estimate(float("nan"), 0)
    _, place = np.unique(problems, return_inverse=True)
    low, high = clustered(np.bincount(place, flags), np.bincount(place))
    return Estimate(k / n, n, low, high)


class Metric(Protocol):
    """A file and a YAML. `levels` are the task's, weak to strong."""

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """outcomes: column -> (n,) array, as `tracelab.evaluation.outcomes.columns_of` gives them."""
