"""Which steps of a derivation the solution needs: the first to each statement that its proof rests on.

Any rows do, legal or not. The answer is settled where a step first says what the question asks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.completion import References, longest, references
from tracelab.search.derivation.problem import System, concludes, load, rests_on


def needed(system: System, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
    """What `core.types.Task` calls needed."""
    flags, settled = _needed(system, references(examples, traces, solutions))
    return Ragged(flags, traces.offsets), settled


@njit
def _needed(system: System, given: References) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    flags, settled = np.zeros(len(rows), np.bool_), np.full(len(ends) - 1, -1)
    met = np.empty(longest(ends) + 1, np.int64)
    for i in range(len(settled)):
        load(system, problems[offsets[i] : offsets[i + 1]])
        solution, count = solutions[solution_ends[i] : solution_ends[i + 1]], 0
        for r in range(ends[i], ends[i + 1]):
            statement = rests_on(system, solution, len(solution), rows[r])
            if statement >= 0 and not (met[:count] == statement).any():
                flags[r] = True
                met[count] = statement
                count += 1
            if settled[i] < 0 and concludes(system, rows[r]):
                settled[i] = r + 1 - ends[i]
    return flags, settled
