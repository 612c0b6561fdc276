"""What a metric is: outcomes of one test set in, named estimates out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tracelab.core import stats
from tracelab.core.stats import Bounded


@dataclass(frozen=True)
class Estimate:
    """A figure with the n it rests on and, where there is one, its 95 % interval; and how it is shown.

    label: its heading in tables, "" for its own name, None for what is in metrics.json alone. share: is it
    one, in [0, 1], shown in per cent? drawn: does it stand in the run's figure (shares alone)?
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None
    label: str | None = ""
    share: bool = False
    drawn: bool = False

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (n={self.n})"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def as_dict(self) -> dict[str, Any]:
        """Fields by name, for JSON. NaN, the figure of nothing, becomes None (null)."""
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(self).items()}


def share(
    flags: NDArray[np.bool_], problems: NDArray[Any], label: str | None = None, drawn: bool = False
) -> Estimate:
    """A share of completions with its interval; of none, not a number. problems: (n,), whose each one is.

    label, drawn: see `Estimate`.
    """
    return share_of(stats.share(flags, problems), len(flags), label, drawn)


def share_of(known: Bounded, n: int, label: str | None, drawn: bool = False) -> Estimate:
    """A share that rests on n, as `core.stats` gives it; label, drawn: see `Estimate`."""
    low, high = (stats.known(end) for end in (known.low, known.high))
    return Estimate(known.value, n, low, high, label, True, drawn)


class Metric(Protocol):
    """A file and a YAML. `levels` are the task's, weak to strong. Estimates say how they are shown."""

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """outcomes: column -> (n,) array, as `tracelab.evaluation.outcomes.columns_of` gives them."""
