"""What tasks on the game-tree grammar have in common: verdicts, detours, what a trace is good for."""

from __future__ import annotations

from abc import abstractmethod

from tracelab.search.game_tree.detours import detours
from tracelab.search.game_tree.judge import Searched, judge, judge_traces
from tracelab.search.game_tree.needed import needed
from tracelab.search.game_tree.provenance import provenance
from tracelab.tasks.shared.tabled import Retied, Rules


class Playing(Retied):
    """A task whose traces search a game's tree."""

    grammar = "game-tree"
    rules = Rules(judge, judge_traces, detours, needed, provenance)

    @abstractmethod
    def _searched(self) -> Searched:
        """A game with arrays of its own for each call: threads may generate at the same time."""

    def _tables(self) -> Searched:
        return self._searched()
