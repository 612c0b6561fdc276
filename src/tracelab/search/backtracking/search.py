"""Backtracking with propagation as a trace: DPLL and its kin, for every constraint problem.

A trace row is (op, literal, constraint), -1 where absent:

    decide      give an open variable a value of its domain, by the decision rule
    propagate   a literal follows from a constraint by the task's rule
    conflict    a constraint cannot hold any more, or a variable has no value left
    backtrack   undo the latest decision that has a value left, and all after it; take that value instead

A decision whose last value is taken is none any more: what was taken follows from the conflicts. The
search ends when no variable is open, or in a conflict that no decision is left to blame for: then there
is no solution, and the trace is the proof. `search` records; `replay.py` checks.

Sources: Davis, Logemann and Loveland 1962 (DPLL); Haralick and Elliott 1980 (fewest values first).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import below
from tracelab.search.backtracking.problem import (
    OPEN,
    Csp,
    domain,
    find_conflict,
    find_forced,
    least_rank,
    rank,
    update,
)

DECIDE, PROPAGATE, CONFLICT, BACKTRACK = range(4)
OPS = ("decide", "propagate", "conflict", "backtrack")
UNFINISHED, SOLVED, REFUTED = range(3)
TIE_BREAKS = ("first", "random")
VARIABLE, BEGAN, UNTRIED = range(3)


class Stack(NamedTuple):
    """What has been assigned, in order, and the decisions that have a value left.

    trail: (variables,) those assigned; levels: (variables, 3) per decision its variable, the trail's
    size before it and the values that it has left; sizes: (2,) of trail and levels.
    """

    trail: NDArray[np.int32]
    levels: NDArray[np.int64]
    sizes: NDArray[np.int64]


@njit
def new_stack(csp: Csp) -> Stack:
    """An empty stack."""
    n = len(csp.assignment)
    return Stack(np.empty(n, np.int32), np.empty((n, 3), np.int64), np.zeros(2, np.int64))


@kernel
def take(csp: Csp, stack: Stack, variable: int, value: int) -> None:
    """Give a variable a value."""
    csp.assignment[variable] = value
    update(csp, variable, value, 1)
    stack.trail[stack.sizes[0]] = variable
    stack.sizes[0] += 1


@kernel
def decide(csp: Csp, stack: Stack, variable: int, value: int) -> None:
    """Give an open variable a value that may be taken back, if it has another."""
    untried = domain(csp, variable) & ~(int64(1) << value)
    if untried != 0:
        level = stack.levels[stack.sizes[1]]
        level[VARIABLE], level[BEGAN], level[UNTRIED] = variable, stack.sizes[0], untried
        stack.sizes[1] += 1
    take(csp, stack, variable, value)


@kernel
def backtrack(csp: Csp, stack: Stack, value: int) -> None:
    """Undo the latest decision that has a value left; take `value`, one of those left, instead."""
    level = stack.levels[stack.sizes[1] - 1]
    while stack.sizes[0] > level[BEGAN]:
        stack.sizes[0] -= 1
        variable = stack.trail[stack.sizes[0]]
        was = csp.assignment[variable]
        csp.assignment[variable] = OPEN
        update(csp, variable, was, -1)
    level[UNTRIED] &= ~(int64(1) << value)
    if level[UNTRIED] == 0:
        stack.sizes[1] -= 1
    take(csp, stack, level[VARIABLE], value)


@kernel
def step(csp: Csp, stack: Stack, row: Integers) -> None:
    """Take a legal step."""
    variable, value = int64(row[1] // csp.values), int64(row[1] % csp.values)
    if row[0] == DECIDE:
        decide(csp, stack, variable, value)
    elif row[0] == PROPAGATE:
        take(csp, stack, variable, value)
    elif row[0] == BACKTRACK:
        backtrack(csp, stack, value)


@kernel
def search(csp: Csp, tie_break: int, random: Random, stack: Stack, rows: Integers) -> tuple[int, int]:
    """Search a loaded problem and record. rows: overwritten; the search is given up when it is full.

    -> (rows written, UNFINISHED, SOLVED or REFUTED)
    """
    stack.sizes[:] = 0
    count = 0
    while count + 1 < len(rows):
        row = rows[count]
        row[1] = row[2] = ABSENT
        if find_conflict(csp, row):
            row[0] = CONFLICT
            count += 1
            if stack.sizes[1] == 0:
                return count, REFUTED
            level = stack.levels[stack.sizes[1] - 1]
            value = pick(level[UNTRIED], tie_break, random)
            record(csp, rows[count], BACKTRACK, level[VARIABLE], value)
            backtrack(csp, stack, value)
        elif find_forced(csp, row):
            row[0] = PROPAGATE
            take(csp, stack, row[1] // csp.values, row[1] % csp.values)
        else:
            variable = choose(csp, tie_break, random)
            if variable < 0:
                return count, SOLVED
            value = pick(domain(csp, variable), tie_break, random)
            record(csp, row, DECIDE, variable, value)
            decide(csp, stack, variable, value)
        count += 1
    return count, UNFINISHED


@kernel
def record(csp: Csp, row: Integers, op: int, variable: int, value: int) -> None:
    """Write a step that needs no constraint."""
    row[0], row[1], row[2] = op, variable * csp.values + value, ABSENT


@kernel
def choose(csp: Csp, tie_break: int, random: Random) -> int:
    """The variable to decide on, the first or a random one of least rank; -1 where none is open."""
    least, ties = least_rank(csp)
    skip = below(random, ties) if tie_break == 1 and ties > 0 else 0
    for variable in range(len(csp.assignment)):
        if csp.assignment[variable] == OPEN and rank(csp, variable) == least:
            if skip == 0:
                return variable
            skip -= 1
    return -1


@kernel
def pick(mask: int, tie_break: int, random: Random) -> int:
    """The first or a random value of a mask that has one."""
    skip = below(random, how_many(mask)) if tie_break == 1 else 0
    for _ in range(skip):
        mask &= mask - 1
    return how_many((mask & -mask) - 1)


@kernel
def how_many(mask: int) -> int:
    """The number of values in a mask."""
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count
