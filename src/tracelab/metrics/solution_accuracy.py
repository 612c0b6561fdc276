"""Solution accuracy: the share of completions whose solution is valid, and optimal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelab.metrics.base import Estimate, share


@dataclass(frozen=True)
class SolutionAccuracy:
    """The published headline counts valid solutions; optimal ones are reported beside them."""

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> solution_valid, solution_optimal, truncated."""
        labels = {"solution_valid": "solution valid", "solution_optimal": "optimal", "truncated": "truncated"}
        return {
            name: share(outcomes[name], outcomes["problem_key"], label, drawn=name == "solution_valid")
            for name, label in labels.items()
        }
