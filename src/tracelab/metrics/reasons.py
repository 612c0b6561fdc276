"""Why solutions and traces fail: the share of completions per reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracelab.core.counting import OK
from tracelab.metrics.base import Estimate, share


@dataclass(frozen=True)
class ReasonCounts:
    """level: of trace validity. Only reasons that occur are listed."""

    level: str = "strict"

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> solution:<reason>, trace:<reason>."""
        found = {}
        for part, column in (("solution", "solution_reason"), ("trace", f"trace_{self.level}_reason")):
            reasons = outcomes[column]
            for reason in sorted(set(np.unique(reasons.astype(str))) - {OK}):
                found[f"{part}:{reason}"] = share(reasons == reason, outcomes["problem_key"])
        return found
