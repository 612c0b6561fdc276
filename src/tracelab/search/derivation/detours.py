"""Detours of a derivation: more is derived than the question needs.

The reference's steps stay, in their order. Among them come steps to what the question does not depend on and
the reference does not derive; where there are none left, steps that were made before are made again. What
comes out is locally valid. Strictly it is valid only where a forward deduction has no step twice: its search
may apply any rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random, Words
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import below
from tracelab.core.types import Examples
from tracelab.search.completion import largest, longest
from tracelab.search.derivation.problem import System, aside, fault, learn, load
from tracelab.search.derivation.reasons import R
from tracelab.search.derivation.replay import replay
from tracelab.search.detours import Given, Spliced, copy_steps, ragged_of, share_out

TRIES = 20  # draws for a step that may be made again


def detours(
    system: System, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
) -> tuple[Ragged, Ragged]:
    """What `core.types.Task` calls detours."""
    return ragged_of(_detours(system, Given.of(examples), wanted, keys))


@njit
def _detours(system: System, given: Given, wanted: NDArray[np.int64], keys: Words) -> Spliced:
    """-> (rows, where each trace ends, for each row whether it was added)"""
    n, width = len(wanted), given.rows.shape[1]
    rows = np.empty((len(given.rows) + wanted.sum() + 1, width), np.int32)
    spare, due = np.empty((largest(wanted) + 1, width), np.int32), np.empty(longest(given.ends) + 1, np.int64)
    added, ends = np.zeros(len(rows), np.bool_), np.zeros(n + 1, np.int64)
    random, reason, at = np.empty(1, np.uint64), np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(n):
        problem = given.problems[given.offsets[i] : given.offsets[i + 1]]
        trace, out = given.rows[given.ends[i] : given.ends[i + 1]], rows[ends[i] :]
        random[0] = keys[i]
        load(system, problem)
        new = asides(system, trace, random, spare[: wanted[i]])
        share_out(np.ones(len(trace), np.bool_), wanted[i], random, due)
        for attempt in range(2):
            load(system, problem)
            known = new if attempt == 0 else 0  # what was derived early may close the reference's own way
            count = wander(system, trace, spare[:known], due, random, out, added[ends[i] :])
            load(system, problem)
            replay(system, out, count, trace[:0], 0, reason, at)
            if reason[0] == R.ok:
                break
        ends[i + 1] = ends[i] + count
    return rows[: ends[n]], ends, added[: ends[n]]


@kernel
def asides(system: System, trace: Integers, random: Random, spare: Integers) -> int:
    """Write steps that could follow a trace, and derive what it does not -> how many, as many as fit."""
    for r in range(len(trace)):
        learn(system, trace[r])
    count = 0
    while count < len(spare) and aside(system, random, spare[count]):
        learn(system, spare[count])
        count += 1
    return count


@kernel
def wander(
    system: System,
    trace: Integers,
    spare: Integers,
    due: Integers,
    random: Random,
    out: Integers,
    added: Flags,
) -> int:
    """Write a trace with its detours -> how many rows. spare: steps to be made, changed."""
    count = owed = used = 0
    left = due[: len(trace)].sum()
    for r in range(len(trace)):
        owed += due[r]
        made = True
        while owed > 0 and made:
            made = False
            if below(random, left) < len(spare) - used:
                made = licensed(system, spare, used)
                if made:
                    copy_steps(spare[used : used + 1], out[count:], added[count:])
                    used += 1
            made = made or again(system, random, out, count)
            if made:
                learn(system, out[count])
                added[count] = True
                count, owed, left = count + 1, owed - 1, left - 1
        learn(system, trace[r])
        count = copy_steps(trace[r : r + 1], out[count:], added[count:]) + count
    return count


@kernel
def licensed(system: System, steps: Integers, first: int) -> bool:
    """Bring a step that is licensed now to the front of steps[first:] -> is there one?"""
    for k in range(first, len(steps)):
        if fault(system, steps[k]) == R.ok:
            for c in range(steps.shape[1]):
                steps[first, c], steps[k, c] = steps[k, c], steps[first, c]
            return True
    return False


@kernel
def again(system: System, random: Random, out: Integers, count: int) -> bool:
    """Write a random one of the steps out[:count] that is still licensed into out[count] -> is there one?"""
    for _ in range(TRIES if count > 0 else 0):
        k = below(random, count)
        if fault(system, out[k]) == R.ok:
            for c in range(out.shape[1]):
                out[count, c] = out[k, c]
            return True
    return False
