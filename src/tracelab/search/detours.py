"""What the detours of all grammars share: valid steps that the solution does not need, put among others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random
from tracelab.core.jit import kernel
from tracelab.core.ragged import Ragged, offsets_of
from tracelab.core.rng import below
from tracelab.core.types import Examples

Spliced = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]  # rows, ends, which rows are new


class Given(NamedTuple):
    """Problems and their reference traces for compiled code: values and offsets of both."""

    problems: Integers
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, examples: Examples) -> Given:
        """Those of examples."""
        problem, trace = examples.problem, examples.trace
        return cls(problem.values, problem.offsets, trace.values, trace.offsets)


def longer(examples: Examples, wanted: NDArray[np.int64]) -> Ragged:
    """Traces with detours as far as their lengths are known: no values, and as many rows as there may be."""
    return Ragged(np.empty(0, np.int32), offsets_of(examples.trace.lengths + 2 * wanted))


def ragged_of(spliced: Spliced) -> tuple[Ragged, Ragged]:
    """Traces, and for each of their steps whether it was added."""
    rows, ends, added = spliced
    return Ragged(rows, ends), Ragged(added, ends)


@kernel
def share_out(places: Flags, wanted: int, random: Random, due: Integers) -> None:
    """due[r]: how many of the wanted steps are to begin before step r, each at a random one of the places."""
    due[:] = 0
    count = 0
    for r in range(len(places)):
        count += places[r]
    for _ in range(wanted if count > 0 else 0):
        skip = below(random, count)
        for r in range(len(places)):
            if places[r]:
                if skip == 0:
                    due[r] += 1
                skip -= 1


@kernel
def copy_steps(steps: Integers, out: Integers, added: Flags) -> int:
    """Write steps of the reference as they are -> how many."""
    for r in range(len(steps)):
        for c in range(steps.shape[1]):
            out[r, c] = steps[r, c]
        added[r] = False
    return len(steps)
