"""What tasks on the backtracking grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.backtracking.batch import MOST_STEPS
from tracelab.search.backtracking.detours import detours
from tracelab.search.backtracking.judge import judge, judge_traces
from tracelab.search.backtracking.needed import needed
from tracelab.search.backtracking.problem import Csp
from tracelab.search.backtracking.provenance import provenance
from tracelab.search.backtracking.ties import other_traces
from tracelab.tasks.shared.tabled import Rules, Tabled


class Assigning(Tabled):
    """A task whose traces are backtracking searches.

    max_steps: problems whose search is longer are drawn anew, which leaves the easier ones.
    """

    max_steps: int

    grammar, literal = "backtracking", True
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _csp(self) -> Csp:
        """Tables of their own for each call: threads may generate at the same time."""

    def kept(self, keys: NDArray[np.uint64], split: str) -> NDArray[np.bool_]:
        """(n,): is the search of each key's first draw as short as the task wants?"""
        of_task: Any = self
        drawn = replace(of_task, max_steps=MOST_STEPS, ood=()).generate(keys, split)
        return np.asarray(drawn.trace.lengths <= self.max_steps)

    def alternatives(self, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
        """Another search of each problem (see `core.types.Task`)."""
        return other_traces(self._tables_for(examples), examples, keys)

    def _tables(self) -> Csp:
        return self._csp()
