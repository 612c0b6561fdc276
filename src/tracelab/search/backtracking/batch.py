"""Problems drawn, solved and recorded in batches, for every task on the backtracking grammar."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words, int64
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.rng import mix64
from tracelab.core.types import MAX_REDRAWS, Column, Examples
from tracelab.search.backtracking.problem import OUTSIDE, Csp, accept, draw, identity, load, satisfiable
from tracelab.search.backtracking.search import (
    OPS,
    REFUTED,
    SOLVED,
    TIE_BREAKS,
    UNFINISHED,
    Stack,
    new_stack,
    search,
)
from tracelab.search.drawn import Drawn, Owned, Stored, examples_drawn, examples_given, nothing, taken


class Limits(NamedTuple):
    """max_steps: problems whose search is longer are drawn anew; room: the most integers that a problem
    is stored in.
    """

    max_steps: int
    room: int


MOST_STEPS = 1 << 16  # of the search of a problem that was not drawn
MEASURES = ("decisions", "propagations", "conflicts", "backtracks")  # counts of OPS, in their order


def columns(literals: int, constraints: int) -> tuple[Column, ...]:
    """Columns of a trace row, for a vocabulary of so many literals and constraints."""
    named = Column("literal", "state", literals), Column("constraint", "state", constraints)
    return Column("op", "op", len(OPS)), *named


def generate(
    csp: Csp, tie_break: str, limits: Limits, keys: NDArray[np.uint64], split: str, advice: str
) -> Examples:
    """One solved problem per key, in `split`. advice: see `examples_drawn`."""
    own = partial(_generate, csp, TIE_BREAKS.index(tie_break), limits, nothing(len(keys)))
    return examples_drawn(own, MEASURES, keys, split, advice)


def solved(csp: Csp, tie_break: str, problems: Ragged) -> Examples:
    """Stored problems with their searches. ValueError if one has none within MOST_STEPS steps."""
    limits = Limits(MOST_STEPS, int(problems.lengths.max(initial=1)))
    own = partial(_generate, csp, TIE_BREAKS.index(tie_break), limits)
    fault = f"it has no solution, or the search for it takes no step, or more than {MOST_STEPS:,}"
    return examples_given(own, MEASURES, problems, fault)


@njit
def _generate(csp: Csp, tie_break: int, limits: Limits, given: Stored, owned: Owned, keys: Words) -> Drawn:
    """-> (first key that failed or -1, identities, problems, traces, solutions, measures)"""
    n = len(keys)
    longest = limits.max_steps + 2
    hashes, measures = np.empty(n, np.uint64), np.zeros((n, len(MEASURES)), np.int64)
    ends = np.zeros((3, n + 1), np.int64)
    stack = new_stack(csp)
    random = np.empty(1, np.uint64)
    scratch = np.empty((longest, 3), np.int32)
    problems = np.empty(n * limits.room + 1, np.int16)
    solutions = np.empty((n * len(csp.assignment) + 1, 2), np.int32)
    rows = np.empty((64 * n + longest, 3), np.int32)
    failed = -1
    for i in range(n):
        stored = problems[ends[0, i] :]
        length, count, outcome, hashes[i] = solved_problem(
            csp,
            tie_break,
            limits.max_steps,
            owned,
            keys[i],
            random,
            stack,
            given[0][given[1][i] : given[1][i + 1]],
            stored,
            scratch,
        )
        if length == 0:
            failed = i
            break
        written = write_solution(csp, outcome, solutions[ends[2, i] :])
        ends[0, i + 1] = ends[0, i] + length
        ends[1, i + 1] = ends[1, i] + count
        ends[2, i + 1] = ends[2, i] + written
        if ends[1, i + 1] > len(rows):
            more = np.empty((2 * len(rows) + longest, 3), np.int32)
            more[: ends[1, i]] = rows[: ends[1, i]]
            rows = more
        rows[ends[1, i] : ends[1, i + 1]] = scratch[:count]
        for r in range(count):
            measures[i, scratch[r, 0]] += 1
    return (
        failed,
        hashes,
        (problems[: ends[0, n]], ends[0].copy()),
        (rows[: ends[1, n]], ends[1].copy()),
        (solutions[: ends[2, n]], ends[2].copy()),
        measures,
    )


@kernel
def solved_problem(
    csp: Csp,
    tie_break: int,
    max_steps: int,
    owned: Owned,
    key: np.uint64,
    random: Random,
    stack: Stack,
    given: Integers,
    problem: Integers,
    rows: Integers,
) -> tuple[int, int, int, np.uint64]:
    """Draw until a problem belongs to the split, is wanted and is solved within max_steps steps; or take the
    one that is given, if any, which may be without a solution where the task has such problems.

    -> (its integers, or 0 if MAX_REDRAWS draws found none; rows; SOLVED or REFUTED; its identity)
    """
    low, high, bins = owned
    random[0] = key
    wish = mix64(key ^ np.uint64(0xD1B54A32D192ED03))
    drawn = len(given) == 0
    for _ in range(MAX_REDRAWS if drawn else 1):
        length = draw(csp, random, wish, problem) if drawn else taken(given, problem)
        if length == 0:
            continue
        load(csp, problem[:length])
        canonical = identity(csp)
        if not low <= canonical % np.uint64(bins) < high:
            continue
        own = random[0]
        # the search's ties do not depend on how often a problem was drawn, or where one that is given stood
        random[0] = mix64(key if drawn else canonical)
        refutable = not satisfiable(csp)
        count, outcome = search(csp, tie_break, random, stack, rows)
        random[0] = own
        ended = outcome != UNFINISHED and 0 < count <= max_steps
        wanted = ended and accept(csp, wish, outcome == SOLVED, problem)
        if wanted or (ended and not drawn and (outcome == SOLVED or refutable)):
            return length, count, outcome, canonical
    return 0, 0, UNFINISHED, np.uint64(0)


@kernel
def write_solution(csp: Csp, outcome: int, rows: Integers) -> int:
    """Write what a search ended in as rows (op, operand) -> how many."""
    if outcome == REFUTED:
        rows[0, 0], rows[0, 1] = 1, -1
        return 1
    count = 0
    for variable in range(len(csp.assignment)):
        value = int64(csp.assignment[variable])
        if value != OUTSIDE:
            rows[count, 0] = 0
            rows[count, 1] = value if csp.positional else variable * csp.values + value
            count += 1
    return count
