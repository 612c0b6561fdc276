"""Modular arithmetic as a derivation problem: definitions, their values, what the question needs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel
from tracelab.core.rng import below, mix64, shuffle, uniform
from tracelab.search import derivation
from tracelab.search.derivation_reasons import R

HEADER = 4  # of a stored problem: definitions, names in use, modulus, query; then per definition
WIDTH = 4  # name, rule, left, right: an operand is a name, or -1 - c for the constant c
LET, ADD, SUB, MUL = range(4)
OPS = ("let", "add", "sub", "mul")
FORWARD, BACKWARD = range(2)
SOLVERS = ("forward", "backward")
FIRST, RANDOM = range(2)
TIE_BREAKS = ("first", "random")
TABLES = ("rule", "left", "right", "truth", "known", "needed", "depth", "listed", "order")
MEASURES = ("definitions", "needed", "operations", "depth")


class Draws(NamedTuple):
    """What is drawn: ranges (both ends), a share, the modulus, and which of ADD, SUB, MUL are used."""

    fewest: int
    most: int
    fewest_distractors: int
    most_distractors: int
    edges: float
    modulus: int
    operators: NDArray[np.int32]


class Program(NamedTuple):
    """Tables by name; room for `len(rule)` names.

    shape: (4,) the header; rule: the definition's, -1 where there is none; left, right: operands as stored;
    truth: what a definition comes to; known: what is derived so far, -1 else; needed: does the question
    depend on it?; depth; listed: names in the order of the prompt; order: so that operands come first;
    stack: scratch.
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
def applied(rule, left, right, modulus):  # type: ignore[no-untyped-def]
    """What a rule gives."""
    if rule == LET:
        return left
    if rule == ADD:
        return (left + right) % modulus
    if rule == SUB:
        return (left - right) % modulus
    return (left * right) % modulus


@kernel
def value_of(values, operand):  # type: ignore[no-untyped-def]
    """An operand's value, -1 where it has none yet."""
    return -1 - operand if operand < 0 else values[operand]


@derivation.implements(derivation.load, Program)
def load(program, problem):  # type: ignore[no-untyped-def]
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
def evaluate(program, name, count):  # type: ignore[no-untyped-def]
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


@derivation.implements(derivation.fault, Program)
def fault(program, row):  # type: ignore[no-untyped-def]
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


@derivation.implements(derivation.flaw, Program)
def flaw(program, row):  # type: ignore[no-untyped-def]
    """Each needed value once."""
    if program.known[row[1]] >= 0:
        return R.repeated
    return R.ok if program.needed[row[1]] else R.not_needed


@derivation.implements(derivation.learn, Program)
def learn(program, row):  # type: ignore[no-untyped-def]
    """The value is known from here on."""
    program.known[row[1]] = row[4]


@derivation.implements(derivation.answered, Program)
def answered(program):  # type: ignore[no-untyped-def]
    """Is the value that is asked for known?"""
    return program.known[program.shape[3]] >= 0


@derivation.implements(derivation.follows, Program)
def follows(program, solution, count):  # type: ignore[no-untyped-def]
    """Is the solution the value that was derived?"""
    return count == 1 and solution[0, 1] == program.known[program.shape[3]]


@derivation.implements(derivation.solution_fault, Program)
def solution_fault(program, solution, count):  # type: ignore[no-untyped-def]
    """One number, the right one."""
    if count > 1:
        return R.too_much, False
    return (R.ok if solution[0, 1] == program.truth[program.shape[3]] else R.wrong_answer), True


@derivation.implements(derivation.write_solution, Program)
def write_solution(program, rows):  # type: ignore[no-untyped-def]
    """The value that is asked for."""
    rows[0, 0], rows[0, 1] = 0, program.truth[program.shape[3]]
    return 1


@derivation.implements(derivation.solve, Program)
def solve(program, random, rows):  # type: ignore[no-untyped-def]
    """Evaluate what is needed, operands first: forward takes a definition that is ready, in the order of
    the prompt or at random; backward goes down from the question, left before right.
    """
    query, count = program.shape[3], 0
    if program.solver == BACKWARD:
        stack, size = program.stack, 1
        stack[0] = query
        while size > 0:
            top = stack[size - 1]
            left, right = program.left[top], program.right[top]
            if left >= 0 and program.known[left] < 0:
                stack[size] = left
                size += 1
            elif right >= 0 and program.known[right] < 0:
                stack[size] = right
                size += 1
            else:
                size -= 1
                if program.known[top] < 0:
                    count = record(program, top, rows, count)
        return count
    while program.known[query] < 0:
        ready = 0
        for d in range(program.shape[0]):
            name = program.listed[d]
            left, right = program.left[name], program.right[name]
            if (
                program.needed[name]
                and program.known[name] < 0
                and (left < 0 or program.known[left] >= 0)
                and (right < 0 or program.known[right] >= 0)
            ):
                program.stack[ready] = name
                ready += 1
        chosen = below(random, ready) if program.tie_break == RANDOM else 0
        count = record(program, program.stack[chosen], rows, count)
    return count


@kernel
def record(program, name, rows, count):  # type: ignore[no-untyped-def]
    """Derive a value and append the step -> how many there are."""
    rule = program.rule[name]
    left = value_of(program.known, program.left[name])
    right = value_of(program.known, program.right[name])
    program.known[name] = applied(rule, left, right, program.shape[2])
    rows[count, 0], rows[count, 1] = rule, name
    rows[count, 2], rows[count, 3] = (-1, -1) if rule == LET else (left, right)
    rows[count, 4] = program.known[name]
    return count + 1


@derivation.implements(derivation.draw, Program)
def draw(program, random, problem):  # type: ignore[no-untyped-def]
    """Definitions that the question needs, then distractors that may rest on them, under random names.

    Definition k of the needed ones rests on earlier ones alone, and each but the last, which is asked for, is
    an operand of a later one.
    """
    draws, names = program.draws, program.stack
    needed = draws.fewest + below(random, draws.most - draws.fewest + 1)
    spread = draws.most_distractors - draws.fewest_distractors + 1
    count = needed + draws.fewest_distractors + below(random, spread)
    capacity = len(program.rule)
    for k in range(capacity):
        names[k] = k
    shuffle(random, names[:capacity])
    left, right = program.left, program.right  # by place here; free slots are -1
    for k in range(count):
        left[k] = right[k] = -1
    for k in range(needed - 2, -1, -1):
        user = k + 1 + below(random, needed - 1 - k)
        while left[user] >= 0 and right[user] >= 0:
            user = user + 1 if user + 1 < needed else k + 1
        if left[user] < 0:
            left[user] = k
        else:
            right[user] = k
    order = program.order
    for k in range(count):
        order[k] = k
    shuffle(random, order[:count])
    highest = 0
    for d in range(count):
        k, at = order[d], HEADER + WIDTH * d
        rests = left[k] >= 0 or (k >= needed and uniform(random) < draws.edges)
        rule = draws.operators[below(random, len(draws.operators))] if rests else LET
        a, b = left[k], right[k]
        if rests and a < 0:
            a = below(random, k)
        if rests and b < 0 and k > 0 and uniform(random) < draws.edges:
            b = below(random, k)
        if rests and below(random, 2):
            a, b = b, a
        problem[at], problem[at + 1] = names[k], rule
        problem[at + 2] = names[a] if a >= 0 else -1 - below(random, draws.modulus)
        problem[at + 3] = names[b] if b >= 0 else -1 - below(random, draws.modulus)
        if rule == LET:
            problem[at + 3] = -1
        highest = max(highest, names[k])
    problem[0], problem[1] = count, highest + 1
    problem[2], problem[3] = draws.modulus, names[needed - 1]
    return HEADER + WIDTH * count


@derivation.implements(derivation.identity, Program)
def identity(program):  # type: ignore[no-untyped-def]
    """Equal under renaming, another order of the definitions, and exchanged operands of add and mul."""
    colours, whole = program.colours, np.uint64(0)
    for k in range(program.shape[0]):
        name = program.order[k]
        a = colour_of(colours, program.left[name])
        b = colour_of(colours, program.right[name])
        rule = program.rule[name]
        if (rule == ADD or rule == MUL) and a > b:  # noqa: SIM109 (numba)
            a, b = b, a
        tag = mix64(np.uint64(rule + 1))
        colours[name] = mix64(mix64(tag ^ a) + b)
        whole += mix64(colours[name])
    asked = mix64(colours[program.shape[3]] ^ np.uint64(0x9E3779B97F4A7C15))
    return mix64(whole ^ asked ^ mix64(np.uint64(program.shape[2])))


@kernel
def colour_of(colours, operand):  # type: ignore[no-untyped-def]
    """Of a definition, or of a constant."""
    if operand >= 0:
        return colours[operand]
    return mix64(np.uint64(-operand) * np.uint64(0xD1B54A32D192ED03))


@derivation.implements(derivation.measure, Program)
def measure(program, rows, out):  # type: ignore[no-untyped-def]
    """In the order of MEASURES."""
    out[0], out[1], out[3] = program.shape[0], len(rows), program.depth[program.shape[3]]
    out[2] = 0
    for r in range(len(rows)):
        out[2] += rows[r, 0] != LET
