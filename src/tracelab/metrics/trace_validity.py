"""Trace validity per level, over all completions and over those whose solution is valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelab.metrics.base import Estimate, share

LABELS = {
    "parses": "trace parses",
    "local": "locally valid",
    "strict": "strictly valid",
    "paper": "paper's verdict",
}
DRAWN = ("local", "strict")


@dataclass(frozen=True)
class TraceValidity:
    """`trace_strict` is P(trace strictly valid), `trace_strict_given_valid` given a valid solution."""

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> trace_<level>, trace_<level>_given_valid."""
        valid, problems = outcomes["solution_valid"], outcomes["problem_key"]
        found = {}
        for level in levels:
            flags = outcomes[f"trace_{level}"]
            label = LABELS.get(level, f"trace {level}")
            found[f"trace_{level}"] = share(flags, problems, label, drawn=level in DRAWN)
            given = "strict | solution valid" if level == "strict" else None
            found[f"trace_{level}_given_valid"] = share(flags[valid], problems[valid], given)
        return found
