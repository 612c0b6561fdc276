"""Other best-first searches of the same problems: any state of least priority is closed, and successors are
created in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Words
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.best_first.batch import Rows, copy_rows
from tracelab.search.best_first.search import RANDOM, Strategy, search
from tracelab.search.best_first.space import Space, is_full, pose
from tracelab.search.completion import largest
from tracelab.search.detours import Given


def other_traces(
    space: Space, strategy: Strategy, examples: Examples, limits: NDArray[np.int64], keys: NDArray[np.uint64]
) -> Ragged:
    """What `core.types.Task` calls alternatives. limits: (n,) steps that each may have."""
    strategy = strategy._replace(tie_break=RANDOM)
    return Ragged(*_other_traces(space, strategy, Given.of(examples), limits, keys))


@njit
def _other_traces(
    space: Space, strategy: Strategy, given: Given, limits: NDArray[np.int64], keys: Words
) -> tuple[Rows, NDArray[np.int64]]:
    """-> (rows, where each trace ends); a search without an end within its limit has no rows."""
    n, width = len(limits), given.rows.shape[1]
    rows, ends = np.empty((limits.sum(), width), np.int32), np.zeros(n + 1, np.int64)
    scratch, random = np.empty((largest(limits), width), np.int32), np.empty(1, np.uint64)
    for i in range(n):
        pose(space, given.problems[given.offsets[i] : given.offsets[i + 1]])
        random[0] = keys[i]
        count, state, _, _ = search(space, strategy, random, scratch[: limits[i]])
        ends[i + 1] = ends[i]
        if state >= 0 and not is_full(space):
            copy_rows(scratch, count, rows, ends[i])
            ends[i + 1] += count
    return rows[: ends[n]], ends
