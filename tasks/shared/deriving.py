"""What tasks on the derivation grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.derivation.detours import detours
from tracelab.search.derivation.judge import judge, judge_traces
from tracelab.search.derivation.needed import needed
from tracelab.search.derivation.problem import System
from tracelab.search.derivation.provenance import provenance
from tracelab.search.derivation.tree import tree
from tracelab.tasks.shared.tabled import Retied, Rules


class Deriving(Retied):
    """A task whose traces are derivations."""

    grammar = "derivation"
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _system(self) -> System:
        """Tables of their own for each call: threads may generate at the same time."""

    def _tables(self) -> System:
        return self._system()

    def tree(self, examples: Examples, traces: Ragged, solutions: Ragged) -> Ragged:
        """The tree of steps on which each solution rests (see `core.types.Task`)."""
        return tree(self._tables(), examples, traces, solutions)
