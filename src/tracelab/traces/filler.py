"""Meaningless tokens, as many as the trace has: length, and so computation, without content.

Pfau, Merrill and Bowman 2024 ("Let's Think Dot by Dot", arXiv 2404.15758).

    python -m tracelab.train trace=filler
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tracelab.core.codec import FILLER
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_tokens, reference


@dataclass(frozen=True)
class Filler(Treatment):
    """Write one and the same word for each token of the trace."""

    promise: ClassVar[str] = "invalid"
    random: ClassVar[bool] = False

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Traces of filler tokens, lengths unchanged."""
        trace = reference(task, examples)
        filler = np.full_like(trace.values, task.codec.token[FILLER])
        return from_tokens(task, examples, Ragged(filler, trace.offsets))
