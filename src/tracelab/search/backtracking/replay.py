"""Strict and local validity of a backtracking trace: replay it and name the first bad step.

Locally valid: each step is legal after those before it. A decision gives an open variable a value of its
domain; a propagated literal follows from the constraint named, by the task's rule, from what is assigned
now; a conflict is real; a backtracking comes after a conflict (there was none since the last one),
undoes the latest decision that has a value left, and takes one of the values left. So whatever a locally
valid trace derives without a decision is true, and one that it refutes has no solution.

Strictly valid, in addition: a conflict that was found is followed by backtracking at once; no decision is
made while there is a conflict or a literal follows (pending propagations may come in any order, also
while there is a conflict); a decision is on a variable that the rule takes (any tie-break, any value);
the trace goes on until every variable is assigned, without a conflict, or a conflict comes when no
decision has a value left, and not beyond; and the solution is that assignment, or that there is none.
"""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel
from tracelab.search.backtracking.problem import (
    OPEN,
    OUTSIDE,
    Csp,
    domain,
    find_conflict,
    find_forced,
    follows,
    is_conflict,
    least_rank,
    rank,
)
from tracelab.search.backtracking.reasons import R
from tracelab.search.backtracking.search import (
    BACKTRACK,
    CONFLICT,
    DECIDE,
    PROPAGATE,
    UNTRIED,
    VARIABLE,
    Stack,
    step,
)

NONE, ASSIGNMENT, NO_SOLUTION = range(3)  # what a solution claims


@kernel
def replay(
    csp: Csp,
    rows: Integers,
    count: int,
    claim: int,
    values: Integers,
    stack: Stack,
    reason: Integers,
    at: Integers,
) -> None:
    """Replay rows[:count] on a loaded problem; claim and values are the solution's (see `read_claim`).

    rows: with a row more than `count`, which is overwritten. Writes reason[0:2] and at[0:2] for the
    levels local and strict (ok and -1 where they pass).
    """
    reason[0] = reason[1] = R.ok
    at[0] = at[1] = -1
    stack.sizes[:] = 0
    failed, scratch = False, rows[len(rows) - 1]
    for i in range(count):
        row = rows[i]
        refuted = failed and stack.sizes[1] == 0
        fault = local_fault(csp, stack, failed, row)
        flaw = R.after_end if refuted else R.ok
        if flaw == R.ok and fault == R.ok:
            flaw = strict_flaw(csp, failed, row, scratch)
        if reason[1] == R.ok and (flaw != R.ok or fault != R.ok):
            reason[1], at[1] = (flaw if flaw != R.ok else fault), i
        if fault != R.ok:
            reason[0], at[0] = fault, i
            return
        step(csp, stack, row)
        failed = row[0] == CONFLICT or (failed and row[0] != BACKTRACK)
    if reason[1] == R.ok:
        flaw = end_flaw(csp, stack, failed, claim, values, scratch)
        if flaw != R.ok:
            reason[1], at[1] = flaw, count


@kernel
def local_fault(csp: Csp, stack: Stack, failed: bool, row: Integers) -> int:
    """Why a step is illegal, or ok."""
    op = row[0]
    if op == CONFLICT:
        return R.ok if is_conflict(csp, row) else R.not_a_conflict
    if op < DECIDE or op > BACKTRACK:
        return R.syntax
    variable, value = row[1] // csp.values, row[1] % csp.values
    if row[1] < 0 or variable >= len(csp.assignment) or csp.assignment[variable] == OUTSIDE:
        return R.no_such_variable
    if op == BACKTRACK:
        return backtrack_fault(stack, failed, variable, value)
    if csp.assignment[variable] != OPEN:
        return R.already_assigned
    if op == PROPAGATE:
        return R.ok if follows(csp, row) else R.does_not_follow
    return R.ok if (domain(csp, variable) >> value) & 1 else R.not_in_domain


@kernel
def backtrack_fault(stack: Stack, failed: bool, variable: int, value: int) -> int:
    """Why backtracking to a literal is illegal, or ok."""
    if not failed:
        return R.no_conflict
    if stack.sizes[1] == 0:
        return R.no_decision
    level = stack.levels[stack.sizes[1] - 1]
    if level[VARIABLE] != variable:
        return R.wrong_decision
    return R.ok if (level[UNTRIED] >> value) & 1 else R.value_tried


@kernel
def strict_flaw(csp: Csp, failed: bool, row: Integers, scratch: Integers) -> int:
    """Why a legal step is none of this search's, or ok."""
    if failed and row[0] != BACKTRACK:
        return R.conflict_left
    if row[0] != DECIDE:
        return R.ok
    if find_conflict(csp, scratch):
        return R.conflict_missed
    if find_forced(csp, scratch):
        return R.propagation_missed
    least, _ = least_rank(csp)
    return R.ok if rank(csp, row[1] // csp.values) == least else R.wrong_variable


@kernel
def end_flaw(csp: Csp, stack: Stack, failed: bool, claim: int, values: Integers, scratch: Integers) -> int:
    """Why a trace of legal steps does not end as the search does, or ok."""
    if failed:
        if stack.sizes[1] > 0:
            return R.unfinished
        return R.ok if claim == NO_SOLUTION else R.solution_differs
    same = claim == ASSIGNMENT
    for variable in range(len(csp.assignment)):
        value = csp.assignment[variable]
        if value == OPEN:
            return R.unfinished
        if value != OUTSIDE and value != values[variable]:
            same = False
    if find_conflict(csp, scratch):
        return R.unfinished
    return R.ok if same else R.solution_differs


@kernel
def read_claim(csp: Csp, rows: Integers, count: int, values: Integers) -> tuple[int, int]:
    """Read a solution's rows: each variable of the loaded problem once, or one row that there is none.

    values: (variables,), overwritten. -> (NONE, ASSIGNMENT or NO_SOLUTION; ok or the fault)
    """
    values[:] = ABSENT
    if count == 0:
        return NONE, R.empty
    place = 0
    for k in range(count):
        if rows[k, 0] == 1:
            return (NO_SOLUTION, R.ok) if count == 1 else (NONE, R.syntax)
        literal = int64(rows[k, 1])
        if csp.positional:
            while place < len(values) and csp.assignment[place] == OUTSIDE:
                place += 1
            literal, place = place * csp.values + literal, place + 1
        variable = literal // csp.values
        if literal < 0 or variable >= len(values) or csp.assignment[variable] == OUTSIDE:
            return NONE, R.no_such_variable
        if values[variable] != ABSENT:
            return NONE, R.repeated
        values[variable] = literal % csp.values
    for variable in range(len(values)):
        if values[variable] == ABSENT and csp.assignment[variable] != OUTSIDE:
            return NONE, R.incomplete
    return ASSIGNMENT, R.ok
