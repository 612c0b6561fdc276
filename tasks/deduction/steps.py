"""What facts and rules license, what a search for a proof would do, and what proves the query."""

from __future__ import annotations

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel
from tracelab.search.derivation import problem as problems
from tracelab.search.derivation.reasons import R
from tracelab.tasks.deduction.rules import (
    APPLY,
    BACKWARD,
    DEAD,
    DEPTH_OF_STACK,
    DERIVABLE,
    DERIVED,
    FAIL,
    FAILED,
    FORWARD,
    KNOWN,
    OPEN,
    OPS,
    READY,
    SHORTEST,
    TRY,
    UNTOUCHED,
    WAITING,
    Theory,
    fits,
    gives,
    ground,
    ground_of,
    query,
    state_of,
)


@kernel
def application_fault(theory: Theory, row: Integers, status: Integers) -> int:
    """Why what is known does not license the application of a rule, or ok."""
    conclusion, label = ground_of(theory, row), row[1]
    if label < 0 or label >= len(theory.kind) or theory.kind[label] < 0:
        return R.not_given
    if conclusion < 0 or row[2] != theory.head[label]:
        return R.wrong_conclusion
    entity = conclusion % theory.entities
    if not fits(theory, label, entity):
        return R.wrong_conclusion
    return R.ok if state_of(theory, label, entity, status) == READY else R.premise_missing


@problems.implements(problems.fault, Theory)
def fault(theory: Theory, row: Integers) -> int:
    """A rule is applied to what is known; backward, a premise of a rule for a goal becomes a goal too, and a
    goal fails that no rule can give.
    """
    if row[0] == APPLY:
        return application_fault(theory, row, theory.status)
    if theory.solver == FORWARD:
        return R.other_search
    goal, label = ground_of(theory, row), row[1]
    if goal < 0:
        return R.not_a_goal
    entity = goal % theory.entities
    if row[0] == TRY:
        if label < 0 or label >= len(theory.kind) or theory.kind[label] < 0:
            return R.not_given
        named = fits(theory, label, entity) and row[2] in theory.premises[label]
        opened = theory.status[ground(theory, theory.head[label], entity)] == OPEN
        return R.ok if named and opened else R.not_a_goal
    if theory.status[goal] != OPEN:
        return R.not_a_goal
    for r in range(theory.shape[0]):
        label = theory.listed[r]
        concerns = theory.head[label] == row[2] and fits(theory, label, entity)
        if concerns and state_of(theory, label, entity, theory.status) != DEAD:
            return R.rule_left
    return R.ok


@problems.implements(problems.flaw, Theory)
def flaw(theory: Theory, row: Integers) -> int:
    """Nothing twice; backward, each step serves the goal opened last, and only where no rule gives it is one
    tried that may yet do.
    """
    goal = ground_of(theory, row)
    if row[0] == APPLY and theory.status[goal] == KNOWN:
        return R.repeated
    if theory.solver == FORWARD:
        return R.ok
    last = theory.stack[theory.counts[DEPTH_OF_STACK] - 1]
    if row[0] != TRY:
        return R.ok if goal == last else R.not_needed
    label, entity = row[1], goal % theory.entities
    if theory.status[goal] != UNTOUCHED:
        return R.repeated
    serves = ground(theory, theory.head[label], entity) == last
    waits = state_of(theory, label, entity, theory.status) == WAITING
    return R.ok if serves and waits and not is_given(theory, last) else R.not_needed


@kernel
def is_given(theory: Theory, goal: int) -> bool:
    """Is there a rule that can be applied and gives a goal?"""
    for r in range(theory.shape[0]):
        if gives(theory, theory.listed[r], goal % theory.entities, theory.status) == goal:
            return True
    return False


@problems.implements(problems.learn, Theory)
def learn(theory: Theory, row: Integers) -> None:
    """A literal is known, open or failed from here on; goals that are settled leave the stack."""
    literal, counts, status = ground_of(theory, row), theory.counts, theory.status
    if row[0] == TRY and status[literal] == UNTOUCHED:
        status[literal], theory.stack[counts[DEPTH_OF_STACK]] = OPEN, literal
        counts[DEPTH_OF_STACK] += 1
    elif row[0] == FAIL:
        status[literal] = FAILED
    elif row[0] == APPLY and status[literal] != KNOWN:
        status[literal], theory.by[literal] = KNOWN, row[1]
        theory.trail[counts[DERIVED]] = literal
        counts[DERIVED] += 1
    while counts[DEPTH_OF_STACK] > 0 and status[theory.stack[counts[DEPTH_OF_STACK] - 1]] != OPEN:
        counts[DEPTH_OF_STACK] -= 1


@problems.implements(problems.answered, Theory)
def answered(theory: Theory) -> bool:
    """The query is known; or it has failed (backward), or nothing more can be derived (forward)."""
    asked = theory.status[query(theory)]
    if theory.solver == BACKWARD:
        return asked in (KNOWN, FAILED)
    return asked == KNOWN or theory.counts[DERIVED] == theory.counts[DERIVABLE]


@problems.implements(problems.follows, Theory)
def follows(theory: Theory, solution: Integers, count: int) -> bool:
    """Is the solution a proof of which each step was derived so, or `unknown` where the query was not?"""
    if count == 0 or problems.solution_fault(theory, solution, count)[0] != R.ok:
        return False
    if solution[0, 0] == 1:
        return theory.status[query(theory)] != KNOWN
    for k in range(count):  # noqa: SIM110 (numba)
        if theory.by[ground_of(theory, solution[k])] != solution[k, 1]:
            return False
    return True


@problems.implements(problems.solution_fault, Theory)
def solution_fault(theory: Theory, solution: Integers, count: int) -> tuple[int, bool]:
    """A proof that ends in the query, of any length, or `unknown` where there is none.

    Uses `order` for what the proof derived: 1 where a fact or a step before gave it.
    """
    derivable = theory.truth[query(theory)] == KNOWN
    if solution[0, 0] == 1:
        if count > 1:
            return R.too_much, False
        return (R.wrong_answer if derivable else R.ok), True
    proved = theory.order
    for g in range(len(proved)):
        given = theory.truth[g] == KNOWN and theory.giver[g] < 0
        proved[g] = KNOWN if given else UNTOUCHED
    for k in range(count):
        if solution[k, 0] == 1:
            return R.too_much, False
        wrong = application_fault(theory, solution[k], proved)
        if wrong != R.ok:
            return wrong, False
        proved[ground_of(theory, solution[k])] = KNOWN
    if ground_of(theory, solution[count - 1]) != query(theory):
        return R.wrong_answer, False
    return R.ok, count <= theory.counts[SHORTEST]


@problems.implements(problems.rests_on, Theory)
def rests_on(theory: Theory, solution: Integers, count: int, row: Integers) -> int:
    """A goal or a conclusion of the proof; `unknown` rests on all that was tried, derived and given up."""
    literal = int64(ground_of(theory, row))
    step = literal * len(OPS) + row[0]
    if literal < 0 or count == 0:
        return int64(-1)
    if solution[0, 0] == 1:
        return step
    for k in range(count):
        if row[0] != FAIL and ground_of(theory, solution[k]) == literal:
            return step
    return int64(-1)


@problems.implements(problems.premises, Theory)
def premises(theory: Theory, row: Integers, out: Integers) -> int:
    """What a rule is applied to; of a goal the goal that it serves; of one that failed that it was a goal,
    and what failed of the rules that may give it.
    """
    literal, label = ground_of(theory, row), row[1]
    if literal < 0:
        return 0
    entity, count = literal % theory.entities, 0
    if row[0] == FAIL:
        out[0], count = literal * len(OPS) + TRY, 1
        for r in range(theory.shape[0]):
            if theory.head[theory.listed[r]] == row[2] and fits(theory, theory.listed[r], entity):
                count = premises_of(theory, theory.listed[r], entity, FAIL, out, count)
        return count
    if label < 0 or label >= len(theory.kind) or theory.kind[label] < 0:
        return 0
    if row[0] == TRY:
        out[0] = ground(theory, theory.head[label], entity) * len(OPS) + TRY
        return 1
    return premises_of(theory, label, entity, APPLY, out, 0)


@kernel
def premises_of(theory: Theory, label: int, entity: int, op: int, out: Integers, count: int) -> int:
    """Append that an operation was done on a rule's premises -> how many there are."""
    for premise in theory.premises[label]:
        if premise >= 0:
            out[count] = ground(theory, premise, entity) * len(OPS) + op
            count += 1
    return count


@problems.implements(problems.concludes, Theory)
def concludes(theory: Theory, row: Integers) -> bool:
    """The query is derived, or given up."""
    return row[0] != TRY and ground_of(theory, row) == query(theory)
