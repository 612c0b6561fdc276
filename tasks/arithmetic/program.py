"""Modular arithmetic as a derivation problem: definitions, their values, what the question needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel
from tracelab.search.derivation import problem as problems
from tracelab.search.derivation.reasons import R

if TYPE_CHECKING:
    from tracelab.tasks.arithmetic.draws import Draws

HEADER = 4  # of a stored problem: definitions, names in use, modulus, query; then per definition
WIDTH = 4  # name, rule, left, right: an operand is a name, or -1 - c for the constant c
LET, ADD, SUB, MUL = range(4)
OPS = ("let", "add", "sub", "mul")
TABLES = ("rule", "left", "right", "truth", "known", "needed", "depth", "listed", "order")


class Program(NamedTuple):
    """Tables by name; room for `len(rule)` names.

    draws: see `draws`. shape: (4,) the header; rule: the definition's, -1 where there is none;
    left, right: operands as stored; truth: what a definition comes to; known: what is derived so far, -1
    else; needed: does the question depend on it?; depth; listed: names in the order of the prompt; order: so
    that operands come first; stack: scratch.
    """

    draws: Draws
    solver: int
    tie_break: int
    shape: NDArray[np.int32]
    rule: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    truth: NDArray[np.int32]
    known: NDArray[np.int32]
    needed: NDArray[np.int32]
    depth: NDArray[np.int32]
    listed: NDArray[np.int32]
    order: NDArray[np.int32]
    stack: NDArray[np.int32]
    colours: NDArray[np.uint64]


def new_program(draws: Draws, names: int, solver: int, tie_break: int) -> Program:
    """Empty tables for programs with up to so many names."""
    tables: dict[str, Any] = {name: np.empty(names, np.int32) for name in TABLES}
    shape, stack = np.empty(HEADER, np.int32), np.empty(2 * names + 2, np.int32)
    fixed: Any = {"draws": draws, "solver": solver, "tie_break": tie_break}
    return Program(**fixed, **tables, shape=shape, stack=stack, colours=np.empty(names, np.uint64))


@kernel
def applied(rule: int, left: int, right: int, modulus: int) -> int:
    """What a rule gives."""
    if rule == LET:
        return left
    if rule == ADD:
        return (left + right) % modulus
    if rule == SUB:
        return (left - right) % modulus
    return (left * right) % modulus


@kernel
def value_of(values: Integers, operand: int) -> int:
    """An operand's value, -1 where it has none yet."""
    return -1 - operand if operand < 0 else values[operand]


@problems.implements(problems.load, Program)
def load(program: Program, problem: Integers) -> None:
    """Definitions and their values, operands first."""
    for h in range(HEADER):
        program.shape[h] = problem[h]
    program.rule[:] = -1
    program.truth[:] = -1
    program.known[:] = -1
    program.needed[:] = 0
    for d in range(problem[0]):
        at = HEADER + WIDTH * d
        name = problem[at]
        program.listed[d] = name
        program.rule[name] = problem[at + 1]
        program.left[name], program.right[name] = problem[at + 2], problem[at + 3]
    count = 0
    for d in range(problem[0]):
        count = evaluate(program, program.listed[d], count)
    program.needed[program.shape[3]] = 1
    for k in range(count - 1, -1, -1):
        name = program.order[k]
        if program.needed[name]:
            for operand in (program.left[name], program.right[name]):
                if operand >= 0:
                    program.needed[operand] = 1


@kernel
def evaluate(program: Program, name: int, count: int) -> int:
    """Value a definition and what it rests on, depth first; append them to `order` -> its new length."""
    stack, truth = program.stack, program.truth
    stack[0], size = name, 1
    while size > 0:
        top = stack[size - 1]
        left, right = program.left[top], program.right[top]
        if truth[top] >= 0:
            size -= 1
        elif left >= 0 and truth[left] < 0:
            stack[size] = left
            size += 1
        elif right >= 0 and truth[right] < 0:
            stack[size] = right
            size += 1
        else:
            a, b = value_of(truth, left), value_of(truth, right)
            truth[top] = applied(program.rule[top], a, b, program.shape[2])
            below_left = program.depth[left] if left >= 0 else 0
            below_right = program.depth[right] if right >= 0 else 0
            program.depth[top] = 1 + max(below_left, below_right)
            program.order[count] = top
            count, size = count + 1, size - 1
    return count


@problems.implements(problems.fault, Program)
def fault(program: Program, row: Integers) -> int:
    """Is the definition applied, to the values that its operands were derived to have?"""
    name = row[1]
    if name < 0 or name >= len(program.rule) or program.rule[name] < 0:
        return R.not_given
    if row[0] != program.rule[name]:
        return R.wrong_rule
    left = value_of(program.known, program.left[name])
    right = value_of(program.known, program.right[name])
    if left < 0 or right < 0:
        return R.premise_missing
    if row[0] != LET and (row[2] != left or row[3] != right):
        return R.wrong_premise
    if row[4] != applied(program.rule[name], left, right, program.shape[2]):
        return R.wrong_conclusion
    return R.ok


@problems.implements(problems.flaw, Program)
def flaw(program: Program, row: Integers) -> int:
    """Each needed value once."""
    if program.known[row[1]] >= 0:
        return R.repeated
    return R.ok if program.needed[row[1]] else R.not_needed


@problems.implements(problems.learn, Program)
def learn(program: Program, row: Integers) -> None:
    """The value is known from here on."""
    program.known[row[1]] = row[4]


@problems.implements(problems.answered, Program)
def answered(program: Program) -> bool:
    """Is the value that is asked for known?"""
    return program.known[program.shape[3]] >= 0


@problems.implements(problems.follows, Program)
def follows(program: Program, solution: Integers, count: int) -> bool:
    """Is the solution the value that was derived?"""
    return count == 1 and solution[0, 1] == program.known[program.shape[3]]


@problems.implements(problems.solution_fault, Program)
def solution_fault(program: Program, solution: Integers, count: int) -> tuple[int, bool]:
    """One number, the right one."""
    if count > 1:
        return R.too_much, False
    return (R.ok if solution[0, 1] == program.truth[program.shape[3]] else R.wrong_answer), True


@problems.implements(problems.rests_on, Program)
def rests_on(program: Program, solution: Integers, count: int, row: Integers) -> int:
    """A name whose value the question depends on."""
    name = int64(row[1])
    defined = 0 <= name < len(program.rule) and program.rule[name] >= 0
    return name if defined and program.needed[name] else int64(-1)


@problems.implements(problems.premises, Program)
def premises(program: Program, row: Integers, out: Integers) -> int:
    """The names among a definition's operands."""
    name, count = int64(row[1]), 0
    if not 0 <= name < len(program.rule) or program.rule[name] < 0:
        return 0
    for operand in (program.left[name], program.right[name]):
        if operand >= 0:
            out[count] = operand
            count += 1
    return count


@problems.implements(problems.concludes, Program)
def concludes(program: Program, row: Integers) -> bool:
    """The value that is asked for is given."""
    return row[1] == program.shape[3]
