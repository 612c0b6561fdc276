"""1 for a completion in the right form: it ends, its trace parses, and it has a solution that parses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.settings import Finite
from tracelab.rewards.base import Graded


@dataclass(frozen=True)
class Form:
    """traces: must there be a trace? (No for models that write none.)"""

    bounds: ClassVar = (0.0, 1.0)

    weight: Finite = 1.0
    traces: bool = True

    def __call__(self, graded: Graded) -> NDArray[np.float64]:
        """0 or 1."""
        verdicts = graded.verdicts
        parses = verdicts.trace_ok[:, 0] if self.traces else np.ones(len(graded.lengths), np.bool_)
        return (parses & verdicts.has_solution & ~graded.truncated).astype(np.float64)
