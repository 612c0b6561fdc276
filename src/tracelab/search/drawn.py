"""Problems that compiled code drew and solved, as Examples: what grammars that load problems share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Words
from tracelab.core.jit import kernel
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Ragged
from tracelab.core.types import BINS, MAX_REDRAWS, SPLITS, Examples

Owned = tuple[int, int, int]  # low, high, bins: the split has the problems with low <= identity % bins < high
Stored = tuple[Integers, NDArray[np.int64]]  # values and offsets
# the first key that failed or -1; identities; problems, traces, solutions; (n, measures)
Drawn = tuple[int, Words, Stored, Stored, Stored, NDArray[np.int64]]


ANY: Owned = (0, 1, 1)  # whatever the identity is


def nothing(n: int) -> Stored:
    """No given problem for any of n keys: all are drawn."""
    return np.empty(0, np.int16), np.zeros(n + 1, np.int64)


@kernel
def taken(given: Integers, problem: Integers) -> int:
    """Write a problem that was given, not drawn -> how many integers."""
    for k in range(len(given)):
        problem[k] = given[k]
    return len(given)


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
    drawn = draw((*SPLITS[split], BINS), keys)
    if drawn[0] >= 0:
        raise ValueError(f"{MAX_REDRAWS} draws gave no problem of the {split} split: {advice}")
    return _examples(measures, drawn)


def examples_given(
    solve: Callable[[Stored, Owned, Words], Drawn],
    measures: Sequence[str],
    problems: Ragged,
    fault: str,
    keys: NDArray[np.uint64] | None = None,
) -> Examples:
    """Stored problems, solved. solve: compiled; fault: of a problem that it could not solve, a ValueError;
    keys: (n,) by which ties are broken in another way; None: as they always are.
    """
    stored = problems.values.astype(np.int16, copy=False), problems.offsets
    solved = solve(stored, ANY, np.zeros(len(problems), np.uint64) if keys is None else keys)
    if solved[0] >= 0:
        raise ValueError(fault)
    return _examples(measures, solved)


def _examples(measures: Sequence[str], drawn: Drawn) -> Examples:
    _, identity, problems, traces, solutions, figures = drawn
    complexity = {name: figures[:, m].copy() for m, name in enumerate(measures)}
    rows = Ragged(*problems), Ragged(*traces), Ragged(*solutions)
    return Examples(np.arange(len(identity)), identity, *rows, complexity)
