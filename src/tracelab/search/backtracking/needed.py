"""Which steps of a backtracking trace the solution needs: those that gave the values which stand at the end.

Any rows do; what is not legal is passed over. Where the solution says that there is none, the trace is the
proof, and every legal step is needed. The answer is settled where every variable has a value without a
conflict, or a conflict leaves no decision to take back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, int64
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.backtracking.problem import OPEN, Csp, find_conflict, load
from tracelab.search.backtracking.reasons import R
from tracelab.search.backtracking.replay import local_fault
from tracelab.search.backtracking.search import BACKTRACK, CONFLICT, Stack, new_stack, step
from tracelab.search.completion import References, references


def needed(csp: Csp, examples: Examples, traces: Ragged, solutions: Ragged) -> tuple[Ragged, Integers]:
    """What `core.types.Task` calls needed."""
    flags, settled = _needed(csp, references(examples, traces, solutions))
    return Ragged(flags, traces.offsets), settled


@njit
def _needed(csp: Csp, given: References) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    flags, settled = np.zeros(len(rows), np.bool_), np.full(len(ends) - 1, -1)
    stack, giver = new_stack(csp), np.empty(len(csp.assignment), np.int64)
    scratch = np.empty(3, np.int32)
    for i in range(len(settled)):
        load(csp, problems[offsets[i] : offsets[i + 1]])
        refutes = solution_ends[i + 1] > solution_ends[i] and solutions[solution_ends[i], 0] == 1
        mine = flags[ends[i] : ends[i + 1]]
        settled[i] = mark_steps(csp, rows[ends[i] : ends[i + 1]], stack, giver, scratch, refutes, mine)
    return flags, settled


@kernel
def mark_steps(
    csp: Csp, trace: Integers, stack: Stack, giver: Integers, scratch: Integers, refutes: bool, flags: Flags
) -> int:
    """Mark the steps that are needed -> how many there are until the answer is settled, or -1."""
    stack.sizes[:] = 0
    giver[:] = -1
    settled, failed = -1, False
    for r in range(len(trace)):
        row = trace[r]
        if local_fault(csp, stack, failed, row) != R.ok:
            continue
        step(csp, stack, row)
        failed = row[0] == CONFLICT or (failed and row[0] != BACKTRACK)
        flags[r] = refutes
        if row[0] != CONFLICT:
            giver[row[1] // csp.values] = r
        refuted = failed and stack.sizes[1] == 0
        if settled < 0 and (refuted or (not failed and is_full(csp) and not find_conflict(csp, scratch))):
            settled = r + 1
    for variable in range(len(giver) if not refutes else 0):
        if giver[variable] >= 0 and csp.assignment[variable] >= 0:
            flags[giver[variable]] = True
    return settled


@kernel
def is_full(csp: Csp) -> bool:
    """Has every variable a value?"""
    for value in csp.assignment:  # noqa: SIM110 (numba)
        if int64(value) == OPEN:
            return False
    return True
