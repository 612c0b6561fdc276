"""Knights' and knaves' statements as a constraint problem, in three-valued logic.

A statement is stored in prefix order: an atom is the literal 2 * person (a knight) or 2 * person + 1 (a
knave), a connective is CONNECTIVE + its place in CONNECTIVES. Truth values are FALSE < UNKNOWN < TRUE,
those of Kleene's strong logic: what is not yet known leaves a statement unknown unless it cannot matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel
from tracelab.search.backtracking import problem as problems
from tracelab.search.backtracking.problem import OPEN, OUTSIDE

HEADER = 1  # of a stored problem: how many people; then what each says
CONNECTIVE = 64
NOT, AND, OR, IMPLIES, IFF = range(5)
CONNECTIVES = ("not", "and", "or", "implies", "iff")
FALSE, UNKNOWN, TRUE = range(3)
MOST_PEOPLE, DEEPEST = 8, 4
WORDS = 4  # of 64 bits, for a truth table over the kinds of up to eight people


class Draws(NamedTuple):
    """What is drawn: how many people, how deep connectives nest, and which ones, as a bit mask."""

    people: int
    depth: int
    connectives: int


class Island(NamedTuple):
    """Variable p is person p; value 0 a knight, who speaks the truth, 1 a knave, who does not.

    codes: all statements; starts: (people + 1,) where each begins; size: (1,) how many people. stack:
    (nodes,), hashes: (2, nodes), tables: (nodes, WORDS) and colours: (2, people) for scratch.
    """

    assignment: NDArray[np.int8]
    values: int
    positional: bool
    rule: int
    draws: Draws
    size: NDArray[np.int64]
    starts: NDArray[np.int64]
    codes: NDArray[np.int64]
    stack: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    tables: NDArray[np.uint64]
    colours: NDArray[np.uint64]


def room(people: int, depth: int) -> int:
    """The most integers that a problem is stored in."""
    return HEADER + people * (2 ** (depth + 1) - 1)


def new_island(draws: Draws, people: int, rule: int) -> Island:
    """Empty tables for up to so many people."""
    nodes = 2 ** (DEEPEST + 1)
    return Island(
        assignment=np.empty(people, np.int8),
        values=2,
        positional=False,
        rule=rule,
        draws=draws,
        size=np.zeros(1, np.int64),
        starts=np.zeros(people + 1, np.int64),
        codes=np.empty(room(people, DEEPEST), np.int64),
        stack=np.empty(nodes, np.int64),
        hashes=np.empty((2, nodes), np.uint64),
        tables=np.empty((nodes, WORDS), np.uint64),
        colours=np.empty((2, people), np.uint64),
    )


@kernel
def statement_end(codes: Integers, at: int) -> int:
    """The place after the statement that begins at `at`."""
    missing = 1
    while missing > 0:
        code = codes[at]
        missing += (0 if code == CONNECTIVE + NOT else 1) if code >= CONNECTIVE else -1
        at += 1
    return at


@kernel
def join(connective: int, a: int, b: int) -> int:
    """Kleene's truth tables; b is not looked at for NOT."""
    if connective == NOT:
        return TRUE - a
    if connective == AND:
        return min(a, b)
    if connective == OR:
        return max(a, b)
    if connective == IMPLIES:
        return max(TRUE - a, b)
    if a == UNKNOWN or b == UNKNOWN:
        return UNKNOWN
    return TRUE if a == b else FALSE


@kernel
def truth_of(value: int, kind: int) -> int:
    """Truth value of an atom: is somebody with this value (-1: unknown) of the kind?"""
    if value < 0:
        return UNKNOWN
    return TRUE if value == kind else FALSE


@kernel
def holds(island: Island, values: Integers, speaker: int, person: int, value: int) -> int:
    """Is the speaker a knight if and only if the statement is true? With one person's value replaced."""
    stack, size = island.stack, 0
    for at in range(island.starts[speaker + 1] - 1, island.starts[speaker] - 1, -1):
        code = island.codes[at]
        if code < CONNECTIVE:
            known = value if code >> 1 == person else values[code >> 1]
            stack[size] = truth_of(known, code & 1)
            size += 1
        elif code == CONNECTIVE + NOT:
            stack[size - 1] = TRUE - stack[size - 1]
        else:
            size -= 1
            stack[size - 1] = join(code - CONNECTIVE, stack[size], stack[size - 1])
    known = value if speaker == person else values[speaker]
    return join(IFF, truth_of(known, 0), stack[0])


@problems.implements(problems.load, Island)
def _load(island: Island, problem: Integers) -> None:
    people = int64(problem[0])
    island.size[0] = people
    for person in range(len(island.assignment)):
        island.assignment[person] = OPEN if person < people else OUTSIDE
    for k in range(len(problem) - HEADER):
        island.codes[k] = problem[HEADER + k]
    for person in range(people):
        island.starts[person + 1] = statement_end(island.codes, island.starts[person])


@problems.implements(problems.update, Island)
def _update(island: Island, variable: int, value: int, by: int) -> None:
    pass


@problems.implements(problems.domain, Island)
def _domain(island: Island, variable: int) -> int:
    return int64(3)


@problems.implements(problems.slack, Island)
def _slack(island: Island, variable: int) -> int:
    """Least for the person whom most undecided statements are by or about."""
    count = 0
    for speaker in range(island.size[0]):
        if holds(island, island.assignment, speaker, -1, 0) != UNKNOWN:
            continue
        named = speaker == variable
        for at in range(island.starts[speaker], island.starts[speaker + 1]):
            code = island.codes[at]
            named = named or (code < CONNECTIVE and code >> 1 == variable)
        count += named
    return -count


@problems.implements(problems.find_conflict, Island)
def _find_conflict(island: Island, row: Integers) -> bool:
    """The first speaker who cannot have said so."""
    for speaker in range(island.size[0]):
        if holds(island, island.assignment, speaker, -1, 0) == FALSE:
            row[2] = speaker
            return True
    return False


@problems.implements(problems.find_forced, Island)
def _find_forced(island: Island, row: Integers) -> bool:
    """The first speaker whose statement forces somebody's kind, and the first whom it does."""
    for speaker in range(island.size[0]):
        if holds(island, island.assignment, speaker, -1, 0) != UNKNOWN:
            continue
        for person in range(island.size[0]):
            if island.assignment[person] == OPEN:
                for value in range(2):
                    if holds(island, island.assignment, speaker, person, 1 - value) == FALSE:
                        row[1], row[2] = 2 * person + value, speaker
                        return True
    return False


@problems.implements(problems.is_conflict, Island)
def _is_conflict(island: Island, row: Integers) -> bool:
    speaker = row[2]
    if speaker < 0 or speaker >= island.size[0]:
        return False
    return holds(island, island.assignment, speaker, -1, 0) == FALSE


@problems.implements(problems.follows, Island)
def _follows(island: Island, row: Integers) -> bool:
    """Does the other kind make it false that the speaker is a knight if and only if he speaks the truth?"""
    speaker = row[2]
    if speaker < 0 or speaker >= island.size[0]:
        return False
    if holds(island, island.assignment, speaker, -1, 0) != UNKNOWN:
        return False
    return holds(island, island.assignment, speaker, row[1] >> 1, 1 - (row[1] & 1)) == FALSE


@problems.implements(problems.solves, Island)
def _solves(island: Island, values: Integers) -> bool:
    for speaker in range(island.size[0]):  # noqa: SIM110 (numba)
        if holds(island, values, speaker, -1, 0) != TRUE:
            return False
    return True


@problems.implements(problems.satisfiable, Island)
def _satisfiable(island: Island) -> bool:
    return True


@problems.implements(problems.accept, Island)
def _accept(island: Island, wish: np.uint64, solved: bool, problem: Integers) -> bool:
    return solved
