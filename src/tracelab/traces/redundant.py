"""The problem's own trace with detours: steps that are valid and that the solution does not need.

What a detour is, the task's grammar says: a best-first search expands more open states, a backtracking one
tries values only to refute them, a derivation derives more than is asked for, a game's tree is searched again
in parts. Steps are added, none is damaged. Every trace is locally valid and few are strictly: the solver
would not have taken these ways. (The data card has both rates, and how much was added: a small maze may be
explored before that is enough.)

    python -m tracelab.train trace=redundant trace.share=0.5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_rows

MOST = 0.9


@dataclass(frozen=True)
class Redundant(Treatment):
    """Add detours until they are `share` of a trace's steps, or as near to it as its problem allows."""

    share: float = 0.3

    promise: ClassVar[str] = "local"
    adds: ClassVar[str | None] = "share"

    def __post_init__(self) -> None:
        if not 0 < self.share <= MOST:
            raise ValueError(f"trace.share={self.share} must be above 0, and at most {MOST}")

    def check(self, task: Task) -> None:
        """ValueError if the task has no detours."""
        if not hasattr(task, "detours"):
            raise ValueError(
                f"trace=redundant can't be had with task {task.name}, which has no `detours`; take "
                "trace=corrupted trace.kind=insert for steps that are not needed and not valid"
            )

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Traces with detours; the steps that were added are labelled."""
        self.check(task)
        offers: Any = task
        wanted = np.rint(examples.trace.lengths * self.share / (1 - self.share)).astype(np.int64)
        rows, added = offers.detours(examples, wanted, keys)
        return from_rows(task, examples, rows, damage=rows.lengths - examples.trace.lengths, damaged=added)
