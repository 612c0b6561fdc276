"""What tasks on the backtracking grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.backtracking.detours import detours
from tracelab.search.backtracking.judge import judge, judge_traces
from tracelab.search.backtracking.needed import needed
from tracelab.search.backtracking.problem import Csp
from tracelab.search.backtracking.provenance import provenance
from tracelab.search.backtracking.ties import other_traces
from tracelab.tasks.shared.tabled import Rules, Tabled


class Assigning(Tabled):
    """A task whose traces are backtracking searches."""

    grammar, literal = "backtracking", True
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _csp(self) -> Csp:
        """Tables of their own for each call: threads may generate at the same time."""

    def alternatives(self, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
        """Another search of each problem (see `core.types.Task`)."""
        return other_traces(self._csp(), examples, keys)

    def _tables(self) -> Csp:
        return self._csp()
