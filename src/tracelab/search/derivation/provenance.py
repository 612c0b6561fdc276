"""Where a right answer behind a derivation comes from.

A trace gives the solution where, at its end, the question is answered and the solution is what was derived.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.completion import References, longest, references
from tracelab.search.derivation.problem import System, answered, fault, follows, learn, load, rests_on
from tracelab.search.derivation.reasons import R
from tracelab.search.provenance import kind_of


def provenance(system: System, examples: Examples, traces: Ragged, solutions: Ragged) -> NDArray[np.uint8]:
    """What `core.types.Task` calls provenance."""
    found: NDArray[np.uint8] = _provenance(system, references(examples, traces, solutions))
    return found


@njit
def _provenance(system: System, given: References) -> NDArray[np.uint8]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    found = np.empty(len(ends) - 1, np.uint8)
    statements = np.empty((2, longest(ends) + 1), np.int64)
    for i in range(len(found)):
        problem = problems[offsets[i] : offsets[i + 1]]
        trace, solution = rows[ends[i] : ends[i + 1]], solutions[solution_ends[i] : solution_ends[i + 1]]
        load(system, problem)
        for r in range(len(trace)):
            if rests_on(system, solution, len(solution), trace[r]) >= 0:
                learn(system, trace[r])
        worded = answered(system) and follows(system, solution, len(solution))
        load(system, problem)
        wrong, undone = learn_right(system, trace, solution, statements)
        right = answered(system) and follows(system, solution, len(solution))
        found[i] = kind_of(right, worded, wrong, undone)
    return found


@kernel
def learn_right(
    system: System, trace: Integers, solution: Integers, statements: Integers
) -> tuple[bool, bool]:
    """Derive what right steps do -> (is any wrong?, is one that the solution needs made wrongly first?)

    statements: (2, steps) those made rightly and those made wrongly, overwritten.
    """
    made = wrongly = 0
    wrong = undone = False
    for r in range(len(trace)):
        right = fault(system, trace[r]) == R.ok
        statement = rests_on(system, solution, len(solution), trace[r])
        wrong = wrong or not right
        if right:
            learn(system, trace[r])
        if statement < 0 or is_among(statements[0, :made], statement):
            continue
        if right:
            undone = undone or is_among(statements[1, :wrongly], statement)
            statements[0, made] = statement
            made += 1
        else:
            statements[1, wrongly] = statement
            wrongly += 1
    return wrong, undone


@kernel
def is_among(numbers: Integers, number: int) -> bool:
    """Is a number one of them?"""
    for other in numbers:  # noqa: SIM110 (numba)
        if other == number:
            return True
    return False
