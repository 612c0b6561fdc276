"""A Countdown problem as a search space: a state is the multiset of numbers at hand, a move an operation.

A state's 64-bit word is its numbers in ascending order, as digits to the base `largest` + 1. Successors
stand in the order of their heuristic, so that depth-first search goes to the most promising one first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.formats import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.search.best_first import space as spaces
from tracelab.search.best_first.interning import Interned, forget, intern, interning, new_interned
from tracelab.tasks.countdown.draws import HEADER, TARGET, USE_ALL, combine
from tracelab.tasks.shared.sorting import ascend

HEURISTICS = ("sum", "multiply")
SUM, MULTIPLY = range(2)
A, SIGN, B, FIRST = 1, 2, 3, 4  # columns of a row: the operation, then the numbers, its result first
RULES = 8
GOAL, ALL, NUMBERS, LARGEST, SIGNS, HEURISTIC, GUIDED, ROOT = range(RULES)


@interning
class Hand(NamedTuple):
    """states: the words that were met; hand: (4, 6) scratch for numbers; rules: (RULES,) target, must all be
    used, how many numbers there are room for, the largest result, the operations, the heuristic, is h
    written, and the start; near: (largest + 1,) how far a number is from where the heuristic wants it.
    """

    states: Interned
    hand: NDArray[np.int64]
    rules: NDArray[np.int64]
    near: NDArray[np.int64]


def states_of(numbers: int) -> int:
    """How many states a search from so many numbers meets at most."""
    states = 1
    for left in range(2, numbers + 1):
        states = 1 + 2 * left * (left - 1) * states
    return states


@njit
def new_hand(rules: NDArray[np.int64], capacity: int) -> Hand:
    """Room for so many states. rules: as in Hand; target, all and start are those of each problem."""
    numbers = rules[NUMBERS]
    return Hand(
        new_interned(capacity),
        np.zeros((4, numbers), np.int64),
        rules,
        np.zeros(rules[LARGEST] + 1, np.int64),
    )


@spaces.implements(spaces.pose, Hand)
def _pose(space: Hand, problem: Integers) -> None:
    rules, count = space.rules, len(problem) - HEADER
    forget(space.states)
    rules[GOAL], rules[ALL] = problem[TARGET], problem[USE_ALL]
    for k in range(count):
        space.hand[0, k] = problem[HEADER + k]
    rules[ROOT] = state_of(space, space.hand[0], count)
    measure(rules[GOAL], rules[HEURISTIC], space.near)


@kernel
def measure(target: int, heuristic: int, near: Integers) -> None:
    """Distances to the target or, for `multiply`, to the nearest of its factors from 2 on."""
    for n in range(len(near)):
        near[n] = abs(n - target)
    for factor in range(2, target if heuristic == MULTIPLY else 0):
        if target % factor == 0:
            for n in range(len(near)):
                near[n] = min(near[n], abs(n - factor))


@kernel
def state_of(space: Hand, numbers: Integers, count: int) -> int:
    """The state with these numbers, in any order (they are sorted), or -1 if there is no room for it."""
    word = 0
    ascend(numbers, count)
    for k in range(count - 1, -1, -1):
        word = word * (space.rules[LARGEST] + 1) + numbers[k]
    return intern(space.states, word)


@kernel
def numbers_of(space: Hand, state: int, numbers: Integers) -> int:
    """Write a state's numbers in ascending order -> how many."""
    word, base = space.states.words[state], space.rules[LARGEST] + 1
    count = 0
    while word > 0:
        numbers[count] = word % base
        word //= base
        count += 1
    return count


@kernel
def result_of(space: Hand, numbers: Integers, i: int, sign: int, j: int) -> int:
    """What an operation on two of the numbers gives, or -1; a + b and b + a are one, and a * b."""
    if i == j or not space.rules[SIGNS] >> sign & 1 or (sign % 2 == 0 and j < i):
        return -1
    return combine(sign, numbers[i], numbers[j], space.rules[LARGEST])


@kernel
def after(space: Hand, numbers: Integers, count: int, i: int, j: int, result: int) -> int:
    """The state after numbers i and j were replaced by a result."""
    rest, n = space.hand[1], 0
    for k in range(count):
        if k != i and k != j:
            rest[n] = numbers[k]
            n += 1
    rest[n] = result
    return state_of(space, rest, n + 1)


@spaces.implements(spaces.start, Hand)
def _start(space: Hand) -> int:
    return space.rules[ROOT]


@spaces.implements(spaces.is_goal, Hand)
def _is_goal(space: Hand, state: int) -> bool:
    numbers = space.hand[2]
    count = numbers_of(space, state, numbers)
    if space.rules[ALL]:
        return count == 1 and numbers[0] == space.rules[GOAL]
    found = False
    for k in range(count):
        found = found or numbers[k] == space.rules[GOAL]
    return found


@kernel
def distance(space: Hand, state: int) -> int:
    """The heuristic: the mean over the numbers, rounded down (sum), or their sum (multiply)."""
    numbers, total = space.hand[2], 0
    count = numbers_of(space, state, numbers)
    for k in range(count):
        total += space.near[numbers[k]]
    if space.rules[HEURISTIC] == SUM:
        total //= count
    return min(total, space.rules[LARGEST])


@spaces.implements(spaces.heuristic, Hand)
def _heuristic(space: Hand, state: int) -> int:
    return distance(space, state) if space.rules[GUIDED] else ABSENT


@spaces.implements(spaces.max_degree, Hand)
def _max_degree(space: Hand) -> int:
    return 2 * space.rules[NUMBERS] * (space.rules[NUMBERS] - 1)


@spaces.implements(spaces.neighbours, Hand)
def _neighbours(space: Hand, state: int, states: Integers, costs: Integers) -> int:
    numbers, degree = space.hand[0], 0
    count = numbers_of(space, state, numbers)
    for i in range(count):
        for j in range(count):
            for sign in range(4):
                result = result_of(space, numbers, i, sign, j)
                if result > 0:
                    degree = insert(space, after(space, numbers, count, i, j, result), states, costs, degree)
    for k in range(degree):
        costs[k] = 1
    return degree


@kernel
def insert(space: Hand, state: int, states: Integers, keys: Integers, degree: int) -> int:
    """Put a state where its heuristic belongs among states[:degree], unless it stands there -> new degree."""
    for k in range(degree):
        if states[k] == state:
            return degree
    if state < 0:
        return degree
    key, k = distance(space, state), degree
    while k > 0 and keys[k - 1] > key:
        states[k], keys[k] = states[k - 1], keys[k - 1]
        k -= 1
    states[k], keys[k] = state, key
    return degree + 1


@spaces.implements(spaces.by_moves, Hand)
def _by_moves(space: Hand) -> bool:
    return True


@spaces.implements(spaces.follow, Hand)
def _follow(space: Hand, state: int, row: Integers) -> int:
    """Both operands must be at hand (twice, if they are equal), and the result must be right."""
    numbers = space.hand[0]
    i = j = -1
    count = numbers_of(space, state, numbers)
    for k in range(count):
        if i < 0 and numbers[k] == row[A]:
            i = k
        elif j < 0 and numbers[k] == row[B]:
            j = k
    if i < 0 or j < 0 or not 0 <= row[SIGN] < 4 or not space.rules[SIGNS] >> row[SIGN] & 1:
        return int64(-1)
    result = combine(row[SIGN], numbers[i], numbers[j], space.rules[LARGEST])
    if result < 0 or result != row[FIRST]:
        return int64(-1)
    return after(space, numbers, count, i, j, result)


@spaces.implements(spaces.write_move, Hand)
def _write_move(space: Hand, state: int, successor: int, row: Integers) -> None:
    """The first operation that leads there; in a trace's row the result goes before the other numbers."""
    numbers = space.hand[3]
    count = numbers_of(space, state, numbers)
    for i in range(count):
        for j in range(count):
            for sign in range(4):
                result = result_of(space, numbers, i, sign, j)
                if result < 0 or after(space, numbers, count, i, j, result) != successor:
                    continue
                row[A], row[SIGN], row[B], row[FIRST] = numbers[i], sign, numbers[j], result
                n = FIRST + 1
                for k in range(count if len(row) > n else 0):
                    if k != i and k != j:
                        row[n] = numbers[k]
                        n += 1
                return


@spaces.implements(spaces.read_state, Hand)
def _read_state(space: Hand, row: Integers, column: int) -> int:
    numbers, count = space.hand[0], 0
    for k in range(space.rules[NUMBERS]):
        number = row[FIRST + k]
        if number != ABSENT:
            if number < 1 or number > space.rules[LARGEST]:
                return int64(-1)
            numbers[count] = number
            count += 1
    return state_of(space, numbers, count) if count > 0 else int64(-1)


@spaces.implements(spaces.write_state, Hand)
def _write_state(space: Hand, state: int, row: Integers, column: int) -> None:
    row[A] = row[SIGN] = row[B] = ABSENT
    count = numbers_of(space, state, space.hand[2])
    for k in range(space.rules[NUMBERS]):
        row[FIRST + k] = space.hand[2, k] if k < count else ABSENT
