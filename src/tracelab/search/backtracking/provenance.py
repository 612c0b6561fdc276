"""Where a right answer behind a backtracking trace comes from.

A trace gives an assignment that stands at its end, and that there is none where it ends in a conflict without
a decision left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.backtracking.problem import OPEN, OUTSIDE, Csp, load
from tracelab.search.backtracking.reasons import R
from tracelab.search.backtracking.replay import NO_SOLUTION, NONE, end_flaw, local_fault, read_claim
from tracelab.search.backtracking.search import BACKTRACK, CONFLICT, DECIDE, Stack, new_stack, step
from tracelab.search.completion import References, references
from tracelab.search.provenance import kind_of

WORD, SINCE, GUESSED = range(3)  # of a variable: its value, the step that gave it, was that a decision?
GIVER, SPOILT = range(2)  # the last right step to it, the first wrong one


def provenance(csp: Csp, examples: Examples, traces: Ragged, solutions: Ragged) -> NDArray[np.uint8]:
    """What `core.types.Task` calls provenance."""
    found: NDArray[np.uint8] = _provenance(csp, references(examples, traces, solutions))
    return found


@njit
def _provenance(csp: Csp, given: References) -> NDArray[np.uint8]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    found, n = np.empty(len(ends) - 1, np.uint8), len(csp.assignment)
    stack, values, scratch = new_stack(csp), np.empty(n, np.int32), np.empty(3, np.int32)
    words, steps = np.empty((3, n), np.int64), np.empty((2, n), np.int64)
    for i in range(len(found)):
        trace, solution = rows[ends[i] : ends[i + 1]], solutions[solution_ends[i] : solution_ends[i + 1]]
        load(csp, problems[offsets[i] : offsets[i + 1]])
        claim, _ = read_claim(csp, solution, len(solution), values)
        worded = says(csp, trace, claim, values, words)
        wrong, failed = take_right(csp, trace, stack, steps)
        right = len(trace) > 0 and end_flaw(csp, stack, failed, claim, values, scratch) == R.ok
        undone = False
        for variable in range(n):
            undone = undone or 0 <= steps[SPOILT, variable] < steps[GIVER, variable]
        found[i] = kind_of(right, worded, wrong, undone)
    return found


@kernel
def says(csp: Csp, trace: Integers, claim: int, values: Integers, words: Integers) -> bool:
    """Does a trace, each step taken at its word, end in what the solution claims? words: overwritten."""
    for variable in range(len(values)):
        words[WORD, variable], words[SINCE, variable] = csp.assignment[variable], -1
        words[GUESSED, variable] = False
    for r in range(len(trace)):
        op, variable = trace[r, 0], int64(trace[r, 1] // csp.values)
        if op == CONFLICT or not 0 <= variable < len(values):
            continue
        since = words[SINCE, variable]
        for other in range(len(values) if op == BACKTRACK and since >= 0 else 0):
            if words[SINCE, other] >= since:
                words[WORD, other], words[SINCE, other], words[GUESSED, other] = OPEN, -1, 0
        words[WORD, variable], words[SINCE, variable] = trace[r, 1] % csp.values, r
        words[GUESSED, variable] = op == DECIDE
    if claim == NO_SOLUTION and (len(trace) == 0 or trace[len(trace) - 1, 0] != CONFLICT):
        return False
    for variable in range(len(values)):
        differs = csp.assignment[variable] != OUTSIDE and words[WORD, variable] != values[variable]
        if words[GUESSED, variable] if claim == NO_SOLUTION else differs:
            return False
    return claim != NONE


@kernel
def take_right(csp: Csp, trace: Integers, stack: Stack, steps: Integers) -> tuple[bool, bool]:
    """Take the right steps of a trace -> (is any wrong?, is there a conflict at the end?)

    steps: (2, variables) GIVER and SPOILT of each, -1 for none, overwritten.
    """
    stack.sizes[:] = 0
    steps[:] = -1
    wrong = failed = False
    for r in range(len(trace)):
        row = trace[r]
        variable = int64(row[1] // csp.values)
        right = local_fault(csp, stack, failed, row) == R.ok
        wrong = wrong or not right
        if right:
            step(csp, stack, row)
            failed = row[0] == CONFLICT or (failed and row[0] != BACKTRACK)
        if row[0] == CONFLICT or not 0 <= variable < steps.shape[1]:
            continue
        if right:
            steps[GIVER, variable] = r
        elif steps[SPOILT, variable] < 0:
            steps[SPOILT, variable] = r
    return wrong, failed
