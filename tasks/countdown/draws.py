"""Drawing a Countdown problem that belongs to a split: target, numbers, canonical hash.

Targets are drawn uniformly, and another one is taken where MAX_REDRAWS // TARGETS draws of numbers give none
that belongs to the split. In train and test that hardly ever happens; test sets out of distribution own 1 of
32 problems, and there the targets that few numbers give are rarer (docs/tasks.md has how much).

Numbers are drawn with a solution: a random expression tree over the numbers that are used, of which all but
one are drawn and the last is solved for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel, njit, wrapping
from tracelab.core.rng import below, mix64, shuffle
from tracelab.core.types import MAX_REDRAWS

SIGNS = "+-*/"
PLUS, MINUS, TIMES, OVER = range(4)
TARGETS = 20  # drawn for one problem before its knobs are called impossible
UNKNOWN = 0  # no number is 0
HEADER = 2  # of a stored problem: target, all numbers to be used?; then the numbers in the prompt's order
TARGET, USE_ALL = range(HEADER)


class Knobs(NamedTuple):
    """A distribution as compiled code sees it. numbers: how many; low, high: their range; largest: no
    result is larger; signs: which of SIGNS may be used, as bits.
    """

    numbers: int
    low: int
    high: int
    largest: int
    use_all: bool
    signs: int


@kernel
def combine(sign: int, a: int, b: int, largest: int) -> int:
    """The result of a sign b, or -1 where it is no whole number from 1 to `largest`."""
    if sign == PLUS:
        result = a + b
    elif sign == MINUS:
        result = a - b
    elif sign == TIMES:
        result = a * b
    else:
        result = a // b if b > 0 and a % b == 0 else -1
    return result if 0 < result <= largest else -1


@kernel
def unknown_operand(sign: int, result: int, known: int, side: int, largest: int) -> int:
    """That x such that x sign known (side 0) or known sign x (side 1) is the result; or -1."""
    if sign == PLUS:
        x = result - known
    elif sign == TIMES:
        x = result // known
    elif sign == MINUS:
        x = known - result if side else result + known
    else:
        x = known // result if side else result * known
    if x < 1 or x > largest:
        return -1
    a, b = (known, x) if side else (x, known)
    return x if combine(sign, a, b, largest) == result else -1


@kernel
def draw_result(knobs: Knobs, random: Random, a: int, b: int, inverse: bool) -> int:
    """A random result of an operation on a and b, in either order; or -1 if none may be had.

    inverse: b is a result and a one of its operands; draw the other one.
    """
    drawn, count = -1, 0
    for sign in range(4):
        for side in range(2 if knobs.signs >> sign & 1 else 0):
            if inverse:
                result = unknown_operand(sign, b, a, side, knobs.largest)
            else:
                result = combine(sign, b if side else a, a if side else b, knobs.largest)
            if result > 0:
                count += 1
                if below(random, count) == 0:
                    drawn = result
    return drawn


@kernel
def draw_numbers(
    knobs: Knobs, target: int, random: Random, numbers: Integers, values: Integers, siblings: Integers
) -> bool:
    """Fill `numbers` with some that give the target -> did this draw find such?

    values: scratch for the roots of the trees that are merged, one of them with the unknown; siblings:
    what the unknown's tree was merged with, outermost last.
    """
    used = knobs.numbers if knobs.use_all else 2 + below(random, knobs.numbers - 1)
    for i in range(knobs.numbers):
        numbers[i] = knobs.low + below(random, knobs.high - knobs.low + 1)
        values[i] = numbers[i]
    values[0] = UNKNOWN
    depth = 0
    for left in range(used, 1, -1):
        i, j = below(random, left), below(random, left - 1)
        j += j >= i
        if values[i] == UNKNOWN or values[j] == UNKNOWN:
            siblings[depth] = values[i] + values[j]
            depth, merged = depth + 1, UNKNOWN
        else:
            merged = draw_result(knobs, random, values[i], values[j], False)
            if merged < 0:
                return False
        values[min(i, j)] = merged
        values[max(i, j)] = values[left - 1]
    x = target
    while depth > 0 and x > 0:
        depth -= 1
        x = draw_result(knobs, random, siblings[depth], x, True)
    numbers[0] = x
    return knobs.low <= x <= knobs.high


@kernel
@wrapping
def canonical_hash(target: int, numbers: Integers) -> np.uint64:
    """Equal for problems of the same numbers, in any order, and the same target."""
    whole = np.uint64(0)
    for number in numbers:
        whole += mix64(np.uint64(number))
    return mix64(mix64(whole) + np.uint64(target))


@njit
def draw_problem(
    knobs: Knobs, targets: Integers, low: int, high: int, bins: int, random: Random, numbers: Integers
) -> tuple[int, np.uint64]:
    """Draw a problem whose canonical hash falls into the split's bins.

    targets: those to draw from; one that no draw brings into the split is replaced. -> (target, hash); target
    is -1 if MAX_REDRAWS draws found none.
    """
    values, siblings = np.empty((2, knobs.numbers), np.int64)
    for _ in range(TARGETS):
        target = targets[below(random, len(targets))]
        for _ in range(MAX_REDRAWS // TARGETS):
            if not draw_numbers(knobs, target, random, numbers, values, siblings):
                continue
            given = False
            for number in numbers:
                given = given or (number == target and not knobs.use_all)
            identity = canonical_hash(target, numbers)
            if not given and low <= identity % np.uint64(bins) < high:
                shuffle(random, numbers)
                return target, identity
    return -1, np.uint64(0)


@njit
def draw_problems(
    knobs: Knobs, targets: Integers, low: int, high: int, bins: int, keys: Words
) -> tuple[int, NDArray[np.int16], Words]:
    """One problem per key -> (first key that failed or -1, (n, size) problems, identities)."""
    n = len(keys)
    problems = np.empty((n, HEADER + knobs.numbers), np.int16)
    identities = np.empty(n, np.uint64)
    numbers, random = np.empty(knobs.numbers, np.int64), np.empty(1, np.uint64)
    for i in range(n):
        random[0] = keys[i]
        target, identities[i] = draw_problem(knobs, targets, low, high, bins, random, numbers)
        if target < 0:
            return i, problems, identities
        problems[i, TARGET], problems[i, USE_ALL] = target, knobs.use_all
        problems[i, HEADER:] = numbers
    return -1, problems, identities


def held_out_targets(low: int, high: int, share: float) -> NDArray[np.bool_]:
    """(high - low + 1,): a fixed share of the targets, scattered, whatever the seed."""
    order = np.argsort([int(mix64(np.uint64(target))) for target in range(low, high + 1)])
    held = np.zeros(high - low + 1, np.bool_)
    held[order[: round(share * len(order))]] = True
    return held
