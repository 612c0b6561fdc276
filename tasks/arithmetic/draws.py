"""Drawing a program: definitions that the question needs, and distractors; which programs are the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, wrapping
from tracelab.core.rng import below, mix64, shuffle, uniform
from tracelab.search.derivation import problem as problems
from tracelab.tasks.arithmetic.program import ADD, HEADER, LET, MUL, WIDTH, Program


class Draws(NamedTuple):
    """What is drawn: ranges (both ends), a share, the modulus, and which of ADD, SUB, MUL are used."""

    fewest: int
    most: int
    fewest_distractors: int
    most_distractors: int
    edges: float
    modulus: int
    operators: NDArray[np.int32]


@problems.implements(problems.draw, Program)
def draw(program: Program, random: Random, problem: Integers) -> int:
    """Draw definitions that the question needs, then distractors that may rest on them, under random names.

    -> how many integers. Definition k of the needed ones rests on earlier ones alone, and each but the last,
    which is asked for, is an operand of a later one.
    """
    draws, names, order = program.draws, program.stack, program.order
    needed = draws.fewest + below(random, draws.most - draws.fewest + 1)
    spread = draws.most_distractors - draws.fewest_distractors + 1
    count = needed + draws.fewest_distractors + below(random, spread)
    capacity = len(program.rule)
    for k in range(capacity):
        names[k] = k
    shuffle(random, names[:capacity])
    link(program, random, needed, count)
    for k in range(count):
        order[k] = k
    shuffle(random, order[:count])
    highest = 0
    for d in range(count):
        k, at = order[d], HEADER + WIDTH * d
        define(program, random, k, needed, problem[at : at + WIDTH])
        highest = max(highest, names[k])
    problem[0], problem[1] = count, highest + 1
    problem[2], problem[3] = draws.modulus, names[needed - 1]
    return HEADER + WIDTH * count


@kernel
def link(program: Program, random: Random, needed: int, count: int) -> None:
    """Each needed definition but the last becomes an operand of a later one: by place, free slots are -1."""
    left, right = program.left, program.right
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


@kernel
def define(program: Program, random: Random, k: int, needed: int, out: Integers) -> None:
    """Write the definition in place k: name, rule, and what operands `link` left open."""
    draws, names = program.draws, program.stack
    a, b = program.left[k], program.right[k]
    rests = a >= 0 or (k >= needed and uniform(random) < draws.edges)
    rule = draws.operators[below(random, len(draws.operators))] if rests else LET
    if rests and a < 0:
        a = below(random, k)
    if rests and b < 0 and k > 0 and uniform(random) < draws.edges:
        b = below(random, k)
    if rests and below(random, 2):
        a, b = b, a
    out[0], out[1] = names[k], rule
    out[2] = names[a] if a >= 0 else -1 - below(random, draws.modulus)
    out[3] = names[b] if b >= 0 else -1 - below(random, draws.modulus)
    if rule == LET:
        out[3] = -1


@problems.implements(problems.identity, Program)
@wrapping
def identity(program: Program) -> np.uint64:
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
@wrapping
def colour_of(colours: Words, operand: int) -> np.uint64:
    """Colour (a 64-bit hash) of an operand: a definition or, if negative, a constant."""
    if operand >= 0:
        return colours[operand]
    return mix64(np.uint64(-operand) * np.uint64(0xD1B54A32D192ED03))
