"""What tasks on the best-first grammar offer of their traces beside verdicts: detours, and what is needed."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged, offsets_of
from tracelab.core.types import Column, Examples
from tracelab.search.best_first.detours import detours
from tracelab.search.best_first.needed import needed
from tracelab.search.best_first.search import Strategy
from tracelab.search.best_first.space import Space
from tracelab.search.detours import longer
from tracelab.tasks.shared.variants import Varied


class Searching(Varied):
    """A task whose traces are best-first searches."""

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Columns of a trace row."""

    @property
    @abstractmethod
    def _strategy(self) -> Strategy:
        """Its solver."""

    @abstractmethod
    def _space_for(self, examples: Examples, outputs: Ragged) -> Space:
        """Room for all states that outputs of so many tokens or steps can name."""

    def detours(
        self, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> tuple[Ragged, Ragged]:
        """Traces with valid steps that the solution does not need (see `core.types.Task`)."""
        space = self._space_for(examples, longer(examples, wanted))
        return detours(space, self._strategy, examples, wanted, keys, self.columns)

    def needed(self, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
        """Which steps the solutions need, and when they are settled (see `core.types.Task`)."""
        most = np.maximum(traces.lengths, solutions.lengths) + 1
        outputs = Ragged(traces.values[:0], offsets_of(most))
        return needed(self._space_for(examples, outputs), examples, traces, solutions)
