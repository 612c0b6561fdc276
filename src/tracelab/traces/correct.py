"""The reference solver's trace as it is: the arm that the others are compared with.

Its data card must say that every trace is strictly valid.

    python -m tracelab.train trace=correct
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_rows


@dataclass(frozen=True)
class Correct(Treatment):
    """Leave the trace alone."""

    promise: ClassVar[str] = "valid"
    random: ClassVar[bool] = False

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """The reference traces."""
        return from_rows(task, examples, examples.trace)
