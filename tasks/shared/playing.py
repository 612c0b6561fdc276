"""What tasks on the game-tree grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.game_tree.detours import detours
from tracelab.search.game_tree.judge import Searched, judge, judge_traces
from tracelab.search.game_tree.needed import needed
from tracelab.search.game_tree.provenance import provenance
from tracelab.search.game_tree.ties import other_traces
from tracelab.tasks.shared.tabled import Rules, Tabled


class Playing(Tabled):
    """A task whose traces search a game's tree."""

    grammar, literal = "game-tree", True
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _searched(self) -> Searched:
        """A game with arrays of its own for each call: threads may generate at the same time."""

    def _tables(self) -> Searched:
        return self._searched()

    def alternatives(self, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
        """Another search of each position (see `core.types.Task`)."""
        return other_traces(self._tables_for(examples), examples, keys)
