"""Drawing people and what they say, so that one assignment of kinds fits; and the canonical hash."""

from __future__ import annotations

import numpy as np

from tracelab.core.arrays import Integers, Random, Words, int64
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import below, mix64
from tracelab.search.backtracking import problem as problems
from tracelab.tasks.knights_knaves.statements import (
    AND,
    CONNECTIVE,
    HEADER,
    IFF,
    IMPLIES,
    NOT,
    OR,
    WORDS,
    Draws,
    Island,
)

TRIES = 1000  # statements drawn for a person before another problem is drawn
ROUNDS = 3  # of colour refinement


@problems.implements(problems.draw, Island)
def _draw(island: Island, random: Random, wish: np.uint64, problem: Integers) -> int:
    """Draw a statement each that together leave one possibility -> how many integers, or 0 if they do not.

    A statement or a part of one that is always true, always false, or says what one of its two operands says
    is none ("B knight or B knight"); nor is one that fits its speaker whatever holds, or never ("I am a
    knave").
    """
    draws = island.draws
    problem[0] = draws.people
    length = HEADER
    open_cases = island.tables[len(island.tables) - 1]
    for w in range(WORDS):
        open_cases[w] = all_cases(draws.people, w)
    for speaker in range(draws.people):
        tries = 0
        while True:
            tries += 1
            if tries > TRIES:
                return 0
            stop = draw_statement(draws, random, island.stack, problem, length)
            if says_something(island, problem, length, stop) and fits_sometimes(island, speaker):
                break
        length = stop
        for w in range(WORDS):
            open_cases[w] &= ~(island.tables[0, w] ^ knight_cases(speaker, w))
    return length if is_one_case(open_cases) else 0


@kernel
def draw_statement(draws: Draws, random: Random, stack: Integers, problem: Integers, at: int) -> int:
    """Write a statement in prefix order from `at` on -> the place after it.

    It is a connective; an operand is one again with probability 1/2 where depth is left, else an atom.
    """
    stack[0] = draws.depth
    size, first = 1, True
    while size > 0:
        size -= 1
        depth = stack[size]
        if depth > 0 and (first or below(random, 2) == 1):
            connective = draw_connective(draws.connectives, random)
            problem[at] = CONNECTIVE + connective
            for _ in range(1 if connective == NOT else 2):
                stack[size] = depth - 1
                size += 1
        else:
            problem[at] = 2 * below(random, draws.people) + below(random, 2)
        at += 1
        first = False
    return at


@kernel
def draw_connective(mask: int, random: Random) -> int:
    """One of those in the mask, all alike likely."""
    while True:
        connective = below(random, IFF + 1)
        if (mask >> connective) & 1:
            return connective


@kernel
def all_cases(people: int, w: int) -> np.uint64:
    """Word w of the truth table that is true of each of the 2**people cases."""
    cases = int64(1) << people
    if cases >= 64 * (w + 1):
        return ~np.uint64(0)
    return (np.uint64(1) << np.uint64(cases)) - np.uint64(1) if w == 0 else np.uint64(0)


@kernel
def knight_cases(person: int, w: int) -> np.uint64:
    """Word w of the cases in which a person is a knight: those whose bit `person` is set."""
    if person >= 6:
        return ~np.uint64(0) if (w >> (person - 6)) & 1 else np.uint64(0)
    run = np.uint64(1) << np.uint64(person)
    return (~np.uint64(0) // ((np.uint64(1) << run) + np.uint64(1))) << run


@kernel
def says_something(island: Island, problem: Integers, start: int, stop: int) -> bool:
    """Is no part of a statement constant, twice negated or what one of its two operands says?

    Its truth table comes to island.tables[0].
    """
    tables, people = island.tables, island.draws.people
    size = 0
    for at in range(stop - 1, start - 1, -1):
        code = int64(problem[at])
        if code < CONNECTIVE:
            for w in range(WORDS):
                known = knight_cases(code >> 1, w)
                tables[size, w] = (known if code & 1 == 0 else ~known) & all_cases(people, w)
            size += 1
            continue
        if code == CONNECTIVE + NOT:
            if problem[at + 1] == CONNECTIVE + NOT:
                return False
            for w in range(WORDS):
                tables[size - 1, w] = ~tables[size - 1, w] & all_cases(people, w)
            continue
        size -= 1
        left, right = tables[size], tables[size - 1]
        never = always = as_left = as_right = True
        for w in range(WORDS):
            cases = all_cases(people, w)
            a, b = left[w], right[w]
            joined = joined_cases(code - CONNECTIVE, a, b) & cases
            never, always = never and joined == 0, always and joined == cases
            as_left, as_right = as_left and joined == a, as_right and joined == b
            right[w] = joined
        if never or always or as_left or as_right:
            return False
    return True


@kernel
def joined_cases(connective: int, a: np.uint64, b: np.uint64) -> np.uint64:
    """A word of the truth table of a connective."""
    if connective == AND:
        return a & b
    if connective == OR:
        return a | b
    if connective == IMPLIES:
        return ~a | b
    return ~(a ^ b)


@kernel
def fits_sometimes(island: Island, speaker: int) -> bool:
    """Does the statement of island.tables[0] fit its speaker in some cases, and in some not?"""
    never, always = True, True
    for w in range(WORDS):
        cases = all_cases(island.draws.people, w)
        fits = ~(island.tables[0, w] ^ knight_cases(speaker, w)) & cases
        never, always = never and fits == 0, always and fits == cases
    return not never and not always


@kernel
def is_one_case(cases: Words) -> bool:
    """Is exactly one bit set?"""
    words = 0
    for w in range(WORDS):
        if cases[w] != 0:
            words += 1
            if cases[w] & (cases[w] - np.uint64(1)) != 0:
                return False
    return words == 1


@problems.implements(problems.identity, Island)
@wrapping
def _identity(island: Island) -> np.uint64:
    """Colour refinement of people: equal under renaming them, and under exchanging the operands of "and",
    "or" and "iff".
    """
    people, colours, after = island.size[0], island.colours[0], island.colours[1]
    colours[:] = np.uint64(1)
    total = np.uint64(0)
    for _ in range(ROUNDS):
        after[:] = np.uint64(0)
        total = np.uint64(people)
        for speaker in range(people):
            said = hash_of(island, speaker, colours)
            after[speaker] += mix64(said + np.uint64(7))
            for at in range(island.starts[speaker], island.starts[speaker + 1]):
                code = island.codes[at]
                if code < CONNECTIVE:
                    after[code >> 1] += mix64(said + np.uint64(code & 1))
            total += mix64(said ^ mix64(colours[speaker]))
        for person in range(people):
            colours[person] = mix64(after[person])
    return mix64(total)


@kernel
@wrapping
def hash_of(island: Island, speaker: int, colours: Words) -> np.uint64:
    """Hash of what a speaker says, given the colours of people."""
    stack, size = island.hashes[0], 0
    for at in range(island.starts[speaker + 1] - 1, island.starts[speaker] - 1, -1):
        code = island.codes[at]
        if code < CONNECTIVE:
            stack[size] = mix64(colours[code >> 1] + np.uint64(code & 1))
            size += 1
        elif code == CONNECTIVE + NOT:
            stack[size - 1] = mix64(stack[size - 1] + np.uint64(11))
        else:
            size -= 1
            left, right = mix64(stack[size]), mix64(stack[size - 1])
            if code == CONNECTIVE + IMPLIES:
                left = mix64(left)
            stack[size - 1] = mix64(left + right + np.uint64(code))
    return stack[0]
