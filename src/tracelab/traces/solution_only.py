"""No trace: the model goes from the prompt to the solution in one go (the baseline).

What any trace adds is measured against it.

    python -m tracelab.train trace=solution_only
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_rows


@dataclass(frozen=True)
class SolutionOnly(Treatment):
    """Leave the trace out, its opening word included."""

    promise: ClassVar[str] = "invalid"
    random: ClassVar[bool] = False

    @property
    def writes(self) -> bool:
        """No."""
        return False

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Empty traces."""
        nothing = Ragged(examples.trace.values[:0], np.zeros(len(examples) + 1, np.int64))
        return from_rows(task, examples, nothing)
