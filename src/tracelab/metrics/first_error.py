"""How much of a trace comes before its first bad step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracelab.core.counting import share_before_error
from tracelab.metrics.base import Estimate, share_of


@dataclass(frozen=True)
class FirstError:
    """Share of a trace's steps before the first that `level` rejects: 1 for a trace that passes, 0 for none.
    What goes wrong behind its last step is one step more (`core.counting.before_error`).
    The interval is Student's of the mean, clustered by problem, and ends at 0 and 1.
    """

    level: str = "strict"

    def __call__(self, outcomes: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, Estimate]:
        """-> share_before_error."""
        names = f"trace_{self.level}", f"trace_{self.level}_at", "trace_steps", "problem_key"
        known = share_before_error(*(outcomes[name] for name in names))
        return {"share_before_error": share_of(known, len(outcomes["problem_key"]), label=None)}
