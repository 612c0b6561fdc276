"""Detours of a backtracking search: values are tried, refuted and taken back that need not be tried.

The reference's steps stay, in their order, with one change. Where a variable's value is propagated, its other
values are tried first: each is decided on, what follows is propagated up to a conflict, and the last
backtracking takes the value that the reference propagates. (If none is left to try there, as with the single
digit of a sudoku's cell, that is done before the propagations that left none.) What is assigned afterwards is
what the reference has assigned. A value that propagation alone does not refute is not tried. What comes out
is locally valid; strictly it is not, for a decision is made while a literal follows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Flags, Integers, Random, Words, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import below
from tracelab.core.types import Examples
from tracelab.search.backtracking.problem import OPEN, Csp, domain, find_conflict, find_forced, load, update
from tracelab.search.backtracking.reasons import R
from tracelab.search.backtracking.replay import NONE, replay
from tracelab.search.backtracking.search import (
    BACKTRACK,
    CONFLICT,
    DECIDE,
    PROPAGATE,
    Stack,
    new_stack,
    pick,
    record,
    step,
)
from tracelab.search.completion import largest, longest
from tracelab.search.detours import Given, Spliced, copy_steps, ragged_of, share_out

RANDOM = 1  # a place in TIE_BREAKS


class Scratch(NamedTuple):
    """Arrays that are reused from trace to trace.

    place: (steps,) of each propagation the step before which its value can still be called in question, -1
    elsewhere; since: (variables,) the same of variables, as far as the trace was read; due: (steps,) steps of
    detours for each propagation; steps: (steps, 3) a detour; done: (steps,) is the value taken by then?
    """

    stack: Stack
    place: NDArray[np.int32]
    since: NDArray[np.int32]
    due: NDArray[np.int64]
    steps: NDArray[np.int32]
    done: NDArray[np.bool_]


def detours(
    csp: Csp, examples: Examples, wanted: NDArray[np.int64], keys: NDArray[np.uint64]
) -> tuple[Ragged, Ragged]:
    """What `core.types.Task` calls detours."""
    return ragged_of(_detours(csp, Given.of(examples), wanted, keys))


@njit
def _detours(csp: Csp, given: Given, wanted: NDArray[np.int64], keys: Words) -> Spliced:
    """-> (rows, where each trace ends, for each row whether it was added)"""
    n, variables = len(wanted), len(csp.assignment)
    steps, values = longest(given.ends) + 2 * largest(wanted) + 2, np.full(variables, ABSENT, np.int32)
    scratch = Scratch(
        new_stack(csp),
        np.empty(steps, np.int32),
        np.empty(variables, np.int32),
        np.empty(steps, np.int64),
        np.empty((steps, 3), np.int32),
        np.empty(steps, np.bool_),
    )
    rows = np.empty((len(given.rows) + 2 * wanted.sum() + 2, 3), np.int32)
    added, ends = np.zeros(len(rows), np.bool_), np.zeros(n + 1, np.int64)
    random, reason, at = np.empty(1, np.uint64), np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(n):
        problem = given.problems[given.offsets[i] : given.offsets[i + 1]]
        trace, out = given.rows[given.ends[i] : given.ends[i + 1]], rows[ends[i] :]
        random[0] = keys[i]
        load(csp, problem)
        find_places(csp, trace, scratch)
        share_out(scratch.place[: len(trace)] >= 0, wanted[i], random, scratch.due)
        load(csp, problem)
        count = wander(csp, trace, wanted[i], random, scratch, out, added[ends[i] :])
        load(csp, problem)
        replay(csp, rows[ends[i] : ends[i] + count + 1], count, NONE, values, scratch.stack, reason, at)
        if reason[0] != R.ok:  # a value that was taken earlier was in the way of a propagation
            count = copy_steps(trace, out, added[ends[i] :])
        ends[i + 1] = ends[i] + count
    return rows[: ends[n]], ends, added[: ends[n]]


@kernel
def find_places(csp: Csp, trace: Integers, scratch: Scratch) -> None:
    """Write `place`: of a run of propagations, the last before which the variable has another value, too."""
    scratch.stack.sizes[:] = 0
    scratch.since[:] = -1
    for r in range(len(trace)):
        scratch.place[r] = -1
        if trace[r, 0] == PROPAGATE:
            for variable in range(len(csp.assignment)):
                mask = domain(csp, variable) if csp.assignment[variable] == OPEN else int64(0)
                if mask & (mask - 1):
                    scratch.since[variable] = r
            scratch.place[r] = scratch.since[trace[r, 1] // csp.values]
        else:
            scratch.since[:] = -1
        step(csp, scratch.stack, trace[r])


@kernel
def wander(
    csp: Csp,
    trace: Integers,
    wanted: int,
    random: Random,
    scratch: Scratch,
    out: Integers,
    added: Flags,
) -> int:
    """Write a trace with its detours -> how many rows."""
    scratch.stack.sizes[:] = 0
    scratch.done[:] = False
    count = owed = 0
    left = wanted
    for r in range(len(trace)):
        s = r
        while s < len(trace) and trace[s, 0] == PROPAGATE:
            if scratch.place[s] == r:
                owed += scratch.due[s]
            if scratch.place[s] == r and owed > 0:
                nearer = 2 * left + below(random, 2)  # with that many rows, or as near
                more = refutations(csp, random, scratch, trace[s, 1], nearer)
                scratch.done[s] = more > 0
                count = copy_steps(scratch.steps[:more], out[count:], added[count:]) + count
                for k in range(count - more, count - 1):
                    added[k] = True  # the last one takes the place of the propagation
                owed, left = owed - max(more - 1, 0), left - max(more - 1, 0)
            s += 1
        if not scratch.done[r]:
            step(csp, scratch.stack, trace[r])
            count = copy_steps(trace[r : r + 1], out[count:], added[count:]) + count
    return count


@kernel
def refutations(csp: Csp, random: Random, scratch: Scratch, literal: int, room: int) -> int:
    """Write the steps that try a variable's other values in vain and end with a literal -> how many; 0, and
    nothing is assigned, if one is not refuted or they are more than there is room for.
    """
    variable, value = int64(literal // csp.values), int64(literal % csp.values)
    stack, steps, others = scratch.stack, scratch.steps, int64(0)
    if csp.assignment[variable] == OPEN:
        others = domain(csp, variable) & ~(int64(1) << value)
    began, levels = stack.sizes[0], stack.sizes[1]
    count, op = 0, DECIDE
    while others:
        other = pick(others, RANDOM, random)
        others &= ~(int64(1) << other)
        record(csp, steps[count], op, variable, other)
        step(csp, stack, steps[count])
        op = BACKTRACK
        count = refutation(csp, stack, steps, count + 1, room)
        if count == 0:
            undo(csp, stack, began, levels)
            return 0
    if count > 0:
        record(csp, steps[count], op, variable, value)
        step(csp, stack, steps[count])
        count += 1
    return count


@kernel
def refutation(csp: Csp, stack: Stack, steps: Integers, count: int, room: int) -> int:
    """Append propagations up to a conflict -> how many steps there are; 0 if none comes within the room."""
    while count + 1 < room:
        row = steps[count]
        row[1] = row[2] = ABSENT
        if find_conflict(csp, row):
            row[0] = CONFLICT
            return count + 1
        if not find_forced(csp, row):
            return 0
        row[0] = PROPAGATE
        step(csp, stack, row)
        count += 1
    return 0


@kernel
def undo(csp: Csp, stack: Stack, began: int, levels: int) -> None:
    """Take back what was assigned since the trail and the levels had these sizes."""
    while stack.sizes[0] > began:
        stack.sizes[0] -= 1
        variable = stack.trail[stack.sizes[0]]
        was = csp.assignment[variable]
        csp.assignment[variable] = OPEN
        update(csp, variable, was, -1)
    stack.sizes[1] = levels
