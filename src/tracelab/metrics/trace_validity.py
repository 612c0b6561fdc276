"""Trace validity per level, over all completions and over those whose solution is valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelab.metrics.base import Estimate, share


@dataclass(frozen=True)
class TraceValidity:
    """`trace_strict` is P(trace strictly valid), `trace_strict_given_valid` given a valid solution."""

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> trace_<level>, trace_<level>_given_valid."""
        valid = outcomes["solution_valid"]
        return {f"trace_{level}": share(outcomes[f"trace_{level}"]) for level in levels} | {
            f"trace_{level}_given_valid": share(outcomes[f"trace_{level}"][valid]) for level in levels
        }
