"""What tasks on the derivation grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.derivation.detours import detours
from tracelab.search.derivation.judge import judge, judge_traces
from tracelab.search.derivation.needed import needed
from tracelab.search.derivation.problem import System
from tracelab.search.derivation.provenance import provenance
from tracelab.search.derivation.tree import tree
from tracelab.search.ties import limits_of
from tracelab.tasks.shared.tabled import Rules, Tabled


class Deriving(Tabled):
    """A task whose traces are derivations."""

    grammar, literal = "derivation", True
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _system(self) -> System:
        """Tables of their own for each call: threads may generate at the same time."""

    def _tables(self) -> System:
        return self._system()

    @abstractmethod
    def _solved(self, problems: Ragged, keys: NDArray[np.uint64] | None = None) -> Examples:
        """Stored problems with their derivations. keys: (n,) of ties; None: each problem has its own."""

    def alternatives(self, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
        """Another derivation of each problem, with ties broken at random (see `core.types.Task`)."""
        task: Any = self
        at_random: Self = replace(task, tie_break="random")
        self.check_written(examples.problem)
        traces = at_random._solved(examples.problem, keys).trace
        longer = np.flatnonzero(traces.lengths > limits_of(examples))
        nothing = Ragged(traces.values[:0], np.zeros(len(longer) + 1, np.int64))
        return traces.replace(longer, nothing)

    def tree(self, examples: Examples, traces: Ragged, solutions: Ragged) -> Ragged:
        """The tree of steps on which each solution rests (see `core.types.Task`)."""
        return tree(self._tables_for(examples), examples, traces, solutions)
