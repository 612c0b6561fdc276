"""What tasks on the backtracking grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Verdicts
from tracelab.search.backtracking.detours import detours
from tracelab.search.backtracking.judge import judge, judge_traces
from tracelab.search.backtracking.needed import needed
from tracelab.search.backtracking.problem import Csp
from tracelab.search.backtracking.provenance import provenance
from tracelab.tasks.shared.variants import Varied


class Assigning(Varied):
    """A task whose traces are backtracking searches."""

    grammar = "backtracking"

    @property
    @abstractmethod
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""

    @property
    @abstractmethod
    def _fits(self) -> Mapping[str, int]:
        """What problems may have at most, by what it is called, to be written in this vocabulary."""

    @abstractmethod
    def _csp(self) -> Csp:
        """Tables of their own for each call: threads may generate at the same time."""

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        return judge(self._csp(), self.codec, self._fits, examples, completions)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        return judge_traces(self._csp(), self._fits, examples, traces)

    def detours(
        self, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> tuple[Ragged, Ragged]:
        """Traces with valid steps that the solution does not need (see `core.types.Task`)."""
        return detours(self._csp(), examples, wanted, keys)

    def needed(self, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
        """Which steps the solutions need, and when they are settled (see `core.types.Task`)."""
        return needed(self._csp(), examples, traces, solutions)

    def provenance(self, examples: Examples, traces: Ragged, solutions: Ragged) -> NDArray[np.uint8]:
        """Where the solutions come from (see `core.types.Task`)."""
        return provenance(self._csp(), examples, traces, solutions)
