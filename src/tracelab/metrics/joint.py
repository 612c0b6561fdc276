"""The 2x2 table of solution validity against trace validity, and the phi coefficient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelab.core.stats import phi
from tracelab.metrics.base import Estimate, share


@dataclass(frozen=True)
class Joint:
    """level: of trace validity. phi is Pearson's correlation of the two verdicts; null if one is constant."""

    level: str = "strict"

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> both, solution_only_valid, trace_only_valid, neither, phi."""
        solution, trace = outcomes["solution_valid"], outcomes[f"trace_{self.level}"]
        cells = {
            "both_valid": solution & trace,
            "only_solution_valid": solution & ~trace,
            "only_trace_valid": ~solution & trace,
            "neither_valid": ~solution & ~trace,
        }
        joint = {name: share(flags, outcomes["problem_key"]) for name, flags in cells.items()}
        return joint | {"phi": Estimate(phi(solution, trace), len(solution), label="phi")}
