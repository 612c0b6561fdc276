"""Forward and backward chaining, recorded; the proof that they find."""

from __future__ import annotations

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below
from tracelab.search.derivation import problem as problems
from tracelab.tasks.deduction.proofs import need
from tracelab.tasks.deduction.rules import (
    APPLY,
    DEPTH_OF_STACK,
    DERIVED,
    FAIL,
    FORWARD,
    KNOWN,
    READY,
    SHORTEST,
    TRY,
    UNTOUCHED,
    WAITING,
    Theory,
    fits,
    gives,
    ground,
    query,
    state_of,
)

TIE_BREAKS = ("first", "random")
MEASURES = ("rules", "facts", "depth", "steps", "proof", "derivable")
ANSWERS = ("rule", "unknown")


@problems.implements(problems.solve, Theory)
def solve(theory: Theory, random: Random, rows: Integers) -> int:
    """Search until the query is answered, by the prompt's first choice or a random one -> how many steps.

    A choice is counted, then drawn, then found again: there are few.
    """
    count = 0
    while not problems.answered(theory):
        row = rows[count]
        choices = step(theory, row, -1)
        if choices == 0:
            write(theory, row, FAIL, -1, theory.stack[theory.counts[DEPTH_OF_STACK] - 1])
        else:
            step(theory, row, below(random, choices) if theory.random else 0)
        problems.learn(theory, row)
        count += 1
    return count


@kernel
def step(theory: Theory, row: Integers, chosen: int) -> int:
    """Write the step that is number `chosen` of the search's choices -> how many there are."""
    if theory.solver == FORWARD:
        return forward(theory, row, chosen)
    return backward(theory, row, chosen)


@kernel
def forward(theory: Theory, row: Integers, chosen: int) -> int:
    """What `step` does, with rules for choices whose premises are known and whose conclusion is not."""
    count = 0
    for r in range(theory.shape[0]):
        label = theory.listed[r]
        for entity in range(theory.shape[3]):
            conclusion = gives(theory, label, entity, theory.status)
            if conclusion >= 0:
                if count == chosen:
                    write(theory, row, APPLY, label, conclusion)
                    return count
                count += 1
    return count


@kernel
def backward(theory: Theory, row: Integers, chosen: int) -> int:
    """What `step` does at the goal opened last: the rule that gives it, or premises of those that may yet."""
    goal = theory.stack[theory.counts[DEPTH_OF_STACK] - 1]
    literal, entity = goal // theory.entities, goal % theory.entities
    count = 0
    for r in range(theory.shape[0]):
        label = theory.listed[r]
        if theory.head[label] != literal or not fits(theory, label, entity):
            continue
        state = state_of(theory, label, entity, theory.status)
        if state == READY:
            write(theory, row, APPLY, label, goal)
            return 1
        for premise in theory.premises[label]:
            below_it = ground(theory, premise, entity)
            if state == WAITING and premise >= 0 and theory.status[below_it] == UNTOUCHED:
                if count == chosen:
                    write(theory, row, TRY, label, below_it)
                count += 1
    return count


@kernel
def write(theory: Theory, row: Integers, op: int, label: int, literal: int) -> None:
    """Write a step; entities are named where something is quantified."""
    row[0], row[1], row[2] = op, label, literal // theory.entities
    row[3] = literal % theory.entities if theory.quantified else -1


@problems.implements(problems.aside, Theory)
def aside(theory: Theory, random: Random, row: Integers) -> bool:
    """A rule whose premises are known and whose conclusion is not, whichever way the search goes."""
    choices = forward(theory, row, -1)
    if choices > 0:
        forward(theory, row, below(random, choices))
    return choices > 0


@problems.implements(problems.write_solution, Theory)
def write_solution(theory: Theory, rows: Integers) -> int:
    """Write the search's steps that the proof needs, in their order, or `unknown` -> how many rows."""
    if theory.status[query(theory)] != KNOWN:
        rows[0] = -1
        rows[0, 0] = 1
        return 1
    theory.needed[:] = 0
    theory.needed[query(theory)] = 1
    for k in range(theory.counts[DERIVED] - 1, -1, -1):
        literal = theory.trail[k]
        if theory.needed[literal]:
            need(theory, theory.by[literal], literal, theory.trail[:k])
    count = 0
    for k in range(theory.counts[DERIVED]):
        literal = theory.trail[k]
        if theory.needed[literal]:
            write(theory, rows[count], 0, theory.by[literal], literal)
            count += 1
    return count


@problems.implements(problems.measure, Theory)
def measure(theory: Theory, rows: Integers, out: Integers) -> None:
    """Write the complexity measures of the loaded problem, in the order of MEASURES."""
    out[0], out[1], out[2] = theory.shape[0], theory.shape[1], theory.shape[4]
    out[3], out[4] = len(rows), theory.counts[SHORTEST]
    out[5] = theory.truth[query(theory)] == KNOWN
