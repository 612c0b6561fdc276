"""The 2x2 table of solution validity against trace validity, and the phi coefficient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelab.core.stats import cells, phi
from tracelab.metrics.base import Estimate, share

NAMES = ("both_valid", "only_solution_valid", "only_trace_valid", "neither_valid")  # in `cells`' order


@dataclass(frozen=True)
class Joint:
    """level: of trace validity. phi is Pearson's correlation of the two verdicts; null if one is constant."""

    level: str = "strict"

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> both_valid, only_solution_valid, only_trace_valid, neither_valid, phi."""
        solution, trace = outcomes["solution_valid"], outcomes[f"trace_{self.level}"]
        place = cells(solution, trace)
        problems = outcomes["problem_key"]
        joint = {name: share(place == k, problems) for k, name in enumerate(NAMES)}
        return joint | {"phi": Estimate(phi(solution, trace), len(solution), label="phi")}
