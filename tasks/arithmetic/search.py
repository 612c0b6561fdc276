"""Forward and backward evaluation, recorded; the answer that they find."""

from __future__ import annotations

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import kernel
from tracelab.core.rng import below
from tracelab.search.derivation import problem as problems
from tracelab.tasks.arithmetic.program import LET, Program, applied, value_of

FORWARD, BACKWARD = range(2)
SOLVERS = ("forward", "backward")
FIRST, RANDOM = range(2)
TIE_BREAKS = ("first", "random")
MEASURES = ("definitions", "needed", "operations", "depth")


@problems.implements(problems.solve, Program)
def solve(program: Program, random: Random, rows: Integers) -> int:
    """Evaluate what is needed, operands first -> how many steps."""
    return backward(program, rows) if program.solver == BACKWARD else forward(program, random, rows)


@kernel
def backward(program: Program, rows: Integers) -> int:
    """Down from the question, left before right -> how many steps."""
    stack = program.stack
    size, count = 1, 0
    stack[0] = program.shape[3]
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


@kernel
def forward(program: Program, random: Random, rows: Integers) -> int:
    """A definition that is ready, in the order of the prompt or at random -> how many steps."""
    count = 0
    while program.known[program.shape[3]] < 0:
        ready = 0
        for d in range(program.shape[0]):
            name = program.listed[d]
            if program.needed[name] and program.known[name] < 0 and is_ready(program, name):
                program.stack[ready] = name
                ready += 1
        chosen = below(random, ready) if program.tie_break == RANDOM else 0
        count = record(program, program.stack[chosen], rows, count)
    return count


@kernel
def is_ready(program: Program, name: int) -> bool:
    """Are a definition's operands known?"""
    left, right = program.left[name], program.right[name]
    return (left < 0 or program.known[left] >= 0) and (right < 0 or program.known[right] >= 0)


@kernel
def record(program: Program, name: int, rows: Integers, count: int) -> int:
    """Derive a value and append the step -> how many there are."""
    write(program, name, rows[count])
    program.known[name] = rows[count, 4]
    return count + 1


@kernel
def write(program: Program, name: int, row: Integers) -> None:
    """Write the step that derives a value."""
    rule = program.rule[name]
    left = value_of(program.known, program.left[name])
    right = value_of(program.known, program.right[name])
    row[0], row[1] = rule, name
    row[2], row[3] = (-1, -1) if rule == LET else (left, right)
    row[4] = applied(rule, left, right, program.shape[2])


@problems.implements(problems.aside, Program)
def aside(program: Program, random: Random, row: Integers) -> bool:
    """A definition that is ready and that the question does not need."""
    ready = 0
    for d in range(program.shape[0]):
        name = program.listed[d]
        if not program.needed[name] and program.known[name] < 0 and is_ready(program, name):
            program.stack[ready] = name
            ready += 1
    if ready > 0:
        write(program, program.stack[below(random, ready)], row)
    return ready > 0


@problems.implements(problems.write_solution, Program)
def write_solution(program: Program, rows: Integers) -> int:
    """Write the value that is asked for -> how many rows: one."""
    rows[0, 0], rows[0, 1] = 0, program.truth[program.shape[3]]
    return 1


@problems.implements(problems.measure, Program)
def measure(program: Program, rows: Integers, out: Integers) -> None:
    """Write the complexity measures of the loaded problem, in the order of MEASURES."""
    out[0] = program.shape[0]
    out[1] = len(rows)
    out[2] = 0
    out[3] = program.depth[program.shape[3]]
    for r in range(len(rows)):
        out[2] += rows[r, 0] != LET
