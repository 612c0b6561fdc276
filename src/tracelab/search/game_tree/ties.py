"""Other searches of the same positions: from each, any move that is left is entered next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Words
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import mix64
from tracelab.core.types import Examples
from tracelab.search.detours import Given
from tracelab.search.game_tree.game import Game, identity, load
from tracelab.search.game_tree.judge import Searched
from tracelab.search.game_tree.search import TIE_BREAKS, new_line, search
from tracelab.search.ties import limits_of

RANDOM = TIE_BREAKS.index("random")


def other_traces(searched: Searched, examples: Examples, keys: NDArray[np.uint64]) -> Ragged:
    """What `core.types.Task` calls alternatives."""
    game, kind, _ = searched
    return Ragged(*_other_traces(game, kind, Given.of(examples), limits_of(examples), keys))


@njit
def _other_traces(
    game: Game, kind: int, given: Given, limits: NDArray[np.int64], keys: Words
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """-> (rows, where each trace ends); a search without an end within its limit has no rows."""
    n = len(limits)
    rows, ends = np.empty((limits.sum(), 3), np.int32), np.zeros(n + 1, np.int64)
    line, random = new_line(game), np.empty(1, np.uint64)
    for i in range(n):
        load(game, given.problems[given.offsets[i] : given.offsets[i + 1]])
        random[0] = mix64(identity(game) ^ keys[i])
        ends[i + 1] = ends[i] + search(game, kind, RANDOM, random, line, rows[ends[i] :][: limits[i]])
    return rows[: ends[n]], ends
