"""What tasks on the best-first grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged, offsets_of
from tracelab.core.types import Column, Examples, Verdicts
from tracelab.search.best_first.batch import judge, judge_traces
from tracelab.search.best_first.detours import detours
from tracelab.search.best_first.needed import needed
from tracelab.search.best_first.provenance import provenance
from tracelab.search.best_first.search import Strategy
from tracelab.search.best_first.space import Space
from tracelab.search.best_first.ties import other_traces
from tracelab.search.detours import longer
from tracelab.search.ties import limits_of
from tracelab.tasks.shared.variants import Varied


class Searching(Varied):
    """A task whose traces are best-first searches."""

    grammar, literal = "best-first", False

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""

    levels: tuple[str, ...]  # of trace validity

    @property
    @abstractmethod
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""

    @property
    @abstractmethod
    def _strategy(self) -> Strategy:
        """Its solver."""

    @abstractmethod
    def _space_for(self, examples: Examples, outputs: Ragged) -> Space:
        """Room for all states that outputs of so many tokens or steps can name."""

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        space = self._space_for(examples, completions)
        return judge(space, self._strategy, self.codec, examples, completions, self.levels)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        return judge_traces(self._space_for(examples, traces), self._strategy, examples, traces)

    def detours(
        self, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> tuple[Ragged, Ragged]:
        """Traces with valid steps that the solution does not need (see `core.types.Task`)."""
        space = self._space_for(examples, longer(examples, wanted))
        return detours(space, self._strategy, examples, wanted, keys, self.columns)

    def alternatives(self, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
        """Another search of each problem (see `core.types.Task`)."""
        limits = limits_of(examples)
        space = self._space_for(examples, Ragged(examples.trace.values[:0], offsets_of(limits)))
        return other_traces(space, self._strategy, examples, limits, keys)

    def needed(self, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
        """Which steps the solutions need, and when they are settled (see `core.types.Task`)."""
        return needed(self._space_of(examples, traces, solutions), examples, traces, solutions)

    def provenance(self, examples: Examples, traces: Ragged, solutions: Ragged) -> NDArray[np.uint8]:
        """Where the solutions come from (see `core.types.Task`)."""
        space = self._space_of(examples, traces, solutions)
        return provenance(space, self._strategy, examples, traces, solutions)

    def _space_of(self, examples: Examples, traces: Ragged, solutions: Ragged) -> Space:
        """Room for all states that a row can name, rightly or wrongly."""
        most = 2 * (traces.lengths + solutions.lengths) + 1
        return self._space_for(examples, Ragged(traces.values[:0], offsets_of(most)))
