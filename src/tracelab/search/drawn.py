"""Problems that compiled code drew and solved, as Examples: what grammars that load problems share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.knobs import one_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Examples


def examples_drawn(
    draw: Callable[..., Any], measures: Sequence[str], keys: NDArray[np.uint64], split: str, advice: str
) -> Examples:
    """One solved problem per key, in `split`.

    draw: compiled ((low, high, bins), keys) -> (first key that failed or -1, identities, values and offsets
    of problems, of traces and of solutions, (n, measures)). advice: what to change where MAX_REDRAWS draws
    find no problem, the end of a ValueError.
    """
    one_of("split", split, tuple(SPLITS))
    failed, identity, problems, traces, solutions, figures = draw((*SPLITS[split], BINS), keys)
    if failed >= 0:
        raise ValueError(f"{MAX_REDRAWS} draws gave no problem of the {split} split: {advice}")
    complexity = {name: figures[:, m].copy() for m, name in enumerate(measures)}
    rows = Ragged(*problems), Ragged(*traces), Ragged(*solutions)
    return Examples(np.arange(len(keys)), identity, *rows, complexity)
