"""A formula in conjunctive normal form as a constraint problem: unit propagation on clauses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, int64
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import below, mix64, next64
from tracelab.search.backtracking import problem as problems
from tracelab.search.backtracking.problem import OPEN, OUTSIDE

HEADER = 4  # of a stored problem: variables, clauses, literals a clause, satisfiable?; then the literals
UNIFORM, PLANTED = range(2)
GENERATORS = ("uniform", "planted")
NATURAL, BALANCED, YES, NO = range(4)
SATISFIABLE = ("natural", "balanced", "yes", "no")
ROUNDS = 3  # of colour refinement
UNASSIGNED, TRUE = range(2)


class Draws(NamedTuple):
    """What is drawn: sizes, a place in GENERATORS and one in SATISFIABLE."""

    variables: int
    clauses: int
    clause_size: int
    generator: int
    satisfiable: int


class Formula(NamedTuple):
    """Literal 2v says that variable v is true, 2v + 1 that it is false. Room for the largest formula.

    shape: (4,) the header; literals: (clauses, size); left: (clauses, 2) unassigned and true literals of
    each; first, where: the clauses that literal l is in are where[first[l]:first[l + 1]]; order:
    (variables,) and colours: (3, literals or clauses) for scratch.
    """

    assignment: NDArray[np.int8]
    values: int
    positional: bool
    rule: int
    draws: Draws
    shape: NDArray[np.int32]
    literals: NDArray[np.int32]
    left: NDArray[np.int32]
    first: NDArray[np.int32]
    where: NDArray[np.int32]
    order: NDArray[np.int32]
    colours: NDArray[np.uint64]


def new_formula(draws: Draws, variables: int, clauses: int, size: int, rule: int) -> Formula:
    """Empty tables for formulas of up to so many variables, clauses and literals a clause."""
    return Formula(
        assignment=np.empty(variables, np.int8),
        values=2,
        positional=False,
        rule=rule,
        draws=draws,
        shape=np.zeros(HEADER, np.int32),
        literals=np.empty((clauses, size), np.int32),
        left=np.empty((clauses, 2), np.int32),
        first=np.empty(2 * variables + 2, np.int32),
        where=np.empty(clauses * size, np.int32),
        order=np.empty(variables, np.int32),
        colours=np.empty((3, max(2 * variables, clauses)), np.uint64),
    )


@problems.implements(problems.load, Formula)
def _load(formula: Formula, problem: Integers) -> None:
    for h in range(HEADER):
        formula.shape[h] = problem[h]
    variables, clauses, size = formula.shape[0], formula.shape[1], formula.shape[2]
    formula.assignment[:variables], formula.assignment[variables:] = OPEN, OUTSIDE
    first = formula.first
    first[:] = 0
    for c in range(clauses):
        formula.left[c, UNASSIGNED], formula.left[c, TRUE] = size, 0
        for j in range(size):
            literal = problem[HEADER + c * size + j]
            formula.literals[c, j] = literal
            first[literal + 2] += 1
    for literal in range(2 * variables):
        first[literal + 2] += first[literal + 1]
    for c in range(clauses):
        for j in range(size):
            after = formula.literals[c, j] + 1
            formula.where[first[after]] = c
            first[after] += 1


@problems.implements(problems.update, Formula)
def _update(formula: Formula, variable: int, value: int, by: int) -> None:
    first, where, left = formula.first, formula.where, formula.left
    literal = 2 * variable + value
    for k in range(first[literal], first[literal + 1]):
        left[where[k], UNASSIGNED] -= by
        left[where[k], TRUE] += by
    for k in range(first[literal ^ 1], first[(literal ^ 1) + 1]):
        left[where[k], UNASSIGNED] -= by


@problems.implements(problems.domain, Formula)
def _domain(formula: Formula, variable: int) -> int:
    return int64(3)


@problems.implements(problems.slack, Formula)
def _slack(formula: Formula, variable: int) -> int:
    """Least for the variable that is in most clauses without a true literal."""
    waiting = 0
    for k in range(formula.first[2 * variable], formula.first[2 * variable + 2]):
        waiting += formula.left[formula.where[k], TRUE] == 0
    return -waiting


@problems.implements(problems.find_conflict, Formula)
def _find_conflict(formula: Formula, row: Integers) -> bool:
    for c in range(formula.shape[1]):
        if formula.left[c, TRUE] == 0 and formula.left[c, UNASSIGNED] == 0:
            row[2] = c
            return True
    return False


@problems.implements(problems.find_forced, Formula)
def _find_forced(formula: Formula, row: Integers) -> bool:
    """The first clause of the prompt without a true literal and with one that is unassigned."""
    for c in range(formula.shape[1]):
        if formula.left[c, TRUE] == 0 and formula.left[c, UNASSIGNED] == 1:
            for j in range(formula.shape[2]):
                literal = formula.literals[c, j]
                if formula.assignment[literal >> 1] == OPEN:
                    row[1], row[2] = literal, c
            return True
    return False


@problems.implements(problems.is_conflict, Formula)
def _is_conflict(formula: Formula, row: Integers) -> bool:
    c = row[2]
    if c < 0 or c >= formula.shape[1]:
        return False
    return formula.left[c, TRUE] == 0 and formula.left[c, UNASSIGNED] == 0


@problems.implements(problems.follows, Formula)
def _follows(formula: Formula, row: Integers) -> bool:
    literal, c = row[1], row[2]
    if c < 0 or c >= formula.shape[1] or formula.left[c, TRUE] > 0 or formula.left[c, UNASSIGNED] != 1:
        return False
    for j in range(formula.shape[2]):  # noqa: SIM110 (numba)
        if formula.literals[c, j] == literal:
            return True
    return False


@problems.implements(problems.solves, Formula)
def _solves(formula: Formula, values: Integers) -> bool:
    for c in range(formula.shape[1]):
        holds = False
        for j in range(formula.shape[2]):
            literal = formula.literals[c, j]
            holds = holds or values[literal >> 1] == literal & 1
        if not holds:
            return False
    return True


@problems.implements(problems.satisfiable, Formula)
def _satisfiable(formula: Formula) -> bool:
    return formula.shape[3] != 0


@problems.implements(problems.draw, Formula)
def _draw(formula: Formula, random: Random, wish: np.uint64, problem: Integers) -> int:
    """Draw each clause: distinct variables, each negated or not, all alike likely; planted: of those that a
    hidden assignment, the same for all clauses, satisfies. -> how many integers
    """
    draws, order = formula.draws, formula.order
    problem[0], problem[1] = draws.variables, draws.clauses
    problem[2], problem[3] = draws.clause_size, 0
    hidden = next64(random)
    for v in range(draws.variables):
        order[v] = v
    for c in range(draws.clauses):
        clause = problem[HEADER + c * draws.clause_size :]
        holds = False
        while not holds:
            holds = draws.generator == UNIFORM
            for j in range(draws.clause_size):
                other = j + below(random, draws.variables - j)
                order[j], order[other] = order[other], order[j]
                sign = below(random, 2)
                clause[j] = 2 * order[j] + sign
                # past 64 variables the hidden bits repeat themselves, flipped
                bit = (hidden >> np.uint64(order[j] % 64)) & np.uint64(1)
                holds = holds or sign == int64(bit) ^ ((order[j] // 64) & 1)
    return HEADER + draws.clauses * draws.clause_size


@problems.implements(problems.accept, Formula)
def _accept(formula: Formula, wish: np.uint64, solved: bool, problem: Integers) -> bool:
    problem[3] = solved
    wanted = formula.draws.satisfiable
    if wanted == BALANCED:
        return solved == (wish & np.uint64(1) == np.uint64(1))
    return wanted == NATURAL or solved == (wanted == YES)


@problems.implements(problems.identity, Formula)
def _identity(formula: Formula) -> np.uint64:
    """Colour refinement of literals and clauses: equal for formulas that differ in the names of their
    variables, in which of the two literals is the negated one, and in the order of clauses and literals.
    """
    return refined(formula)


@kernel
@wrapping
def refined(formula: Formula) -> np.uint64:
    """The hash. A clause has the colour of its literals; a literal, that of its clauses and its negation."""
    variables, clauses, size = formula.shape[0], formula.shape[1], formula.shape[2]
    of_literal, of_clause, after = formula.colours[0], formula.colours[1], formula.colours[2]
    of_literal[:] = np.uint64(1)
    total = np.uint64(0)
    for _ in range(ROUNDS):
        after[:] = np.uint64(0)
        for c in range(clauses):
            of_clause[c] = np.uint64(0)
            for j in range(size):
                of_clause[c] += mix64(of_literal[formula.literals[c, j]])
            of_clause[c] = mix64(of_clause[c])
            for j in range(size):
                after[formula.literals[c, j]] += of_clause[c]
        total = np.uint64(variables)
        for literal in range(2 * variables):
            own, other = after[literal], after[literal ^ 1]
            of_literal[literal] = mix64(own + np.uint64(3) * mix64(other))
            total += mix64(of_literal[literal])
    return mix64(total)
