"""Problems that compiled code drew and solved, as Examples: what grammars that load problems share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Words
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Examples

Owned = tuple[int, int, int]  # low, high, bins: the split has the problems with low <= identity % bins < high
Stored = tuple[Integers, NDArray[np.int64]]  # values and offsets
# the first key that failed or -1; identities; problems, traces, solutions; (n, measures)
Drawn = tuple[int, Words, Stored, Stored, Stored, NDArray[np.int64]]


def examples_drawn(
    draw: Callable[[Owned, Words], Drawn],
    measures: Sequence[str],
    keys: NDArray[np.uint64],
    split: str,
    advice: str,
) -> Examples:
    """One solved problem per key, in `split`.

    draw: compiled. advice: what to change where MAX_REDRAWS draws find no problem, the end of a ValueError.
    """
    one_of("split", split, tuple(SPLITS))
    failed, identity, problems, traces, solutions, figures = draw((*SPLITS[split], BINS), keys)
    if failed >= 0:
        raise ValueError(f"{MAX_REDRAWS} draws gave no problem of the {split} split: {advice}")
    complexity = {name: figures[:, m].copy() for m, name in enumerate(measures)}
    rows = Ragged(*problems), Ragged(*traces), Ragged(*solutions)
    return Examples(np.arange(len(keys)), identity, *rows, complexity)
