"""What tasks have in common whose grammar judges traces by a problem's tables: all but best-first search."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Verdicts
from tracelab.tasks.shared.stored import Storing


class Rules(NamedTuple):
    """What a grammar can say of traces; each function takes the tables first."""

    judge: Callable[..., Verdicts]
    judge_traces: Callable[..., NDArray[np.bool_]]
    detours: Callable[..., tuple[Ragged, Ragged]]
    needed: Callable[..., tuple[Ragged, Integers]]
    provenance: Callable[..., NDArray[np.uint8]]


class Tabled(Storing):
    """A task whose traces are judged by its grammar's rules."""

    rules: ClassVar[Rules]

    @property
    @abstractmethod
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""

    @property
    @abstractmethod
    def _fits(self) -> Mapping[str, int]:
        """What problems may have at most, by what it is called, to be written in this vocabulary."""

    @abstractmethod
    def _tables(self) -> Any:
        """What the rules look things up in, anew for each call: threads may generate at the same time."""

    def _tables_for(self, examples: Examples) -> Any:
        """Tables for problems that the vocabulary can write. ValueError if it cannot."""
        self.check_written(examples.problem)
        return self._tables()

    def judge(self, examples: Examples, completions: Ragged) -> Verdicts:
        """Verdicts on completions: tokens after the prompt, up to and with the stop token."""
        return self.rules.judge(self._tables_for(examples), self.codec, self._fits, examples, completions)

    def judge_traces(self, examples: Examples, traces: Ragged) -> NDArray[np.bool_]:
        """(n,): is each trace (rows) strictly valid for its problem and reference solution?"""
        return self.rules.judge_traces(self._tables_for(examples), self._fits, examples, traces)

    def detours(
        self, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> tuple[Ragged, Ragged]:
        """Traces with valid steps that the solution does not need (see `core.types.Task`)."""
        return self.rules.detours(self._tables_for(examples), examples, wanted, keys)

    def needed(self, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
        """Which steps the solutions need, and when they are settled (see `core.types.Task`)."""
        return self.rules.needed(self._tables_for(examples), examples, traces, solutions)

    def provenance(self, examples: Examples, traces: Ragged, solutions: Ragged) -> NDArray[np.uint8]:
        """Where the solutions come from (see `core.types.Task`)."""
        return self.rules.provenance(self._tables_for(examples), examples, traces, solutions)
