"""What tasks on the backtracking grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod

from tracelab.search.backtracking.detours import detours
from tracelab.search.backtracking.judge import judge, judge_traces
from tracelab.search.backtracking.needed import needed
from tracelab.search.backtracking.problem import Csp
from tracelab.search.backtracking.provenance import provenance
from tracelab.tasks.shared.tabled import Rules, Tabled


class Assigning(Tabled):
    """A task whose traces are backtracking searches."""

    grammar = "backtracking"
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _csp(self) -> Csp:
        """Tables of their own for each call: threads may generate at the same time."""

    def _tables(self) -> Csp:
        return self._csp()
