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
        valid, problems = outcomes["solution_valid"], outcomes["problem_key"]
        verdicts = {f"trace_{level}": outcomes[f"trace_{level}"] for level in levels}
        return {name: share(flags, problems) for name, flags in verdicts.items()} | {
            f"{name}_given_valid": share(flags[valid], problems[valid]) for name, flags in verdicts.items()
        }
