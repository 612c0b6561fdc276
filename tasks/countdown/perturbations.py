"""Small changes of a Countdown problem.

reorder_numbers   the numbers in another order
move_target       another target that the numbers reach, drawn by random operations on all of them
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.tasks.countdown.draws import HEADER, SIGNS, TARGET, USE_ALL, combine
from tracelab.tasks.shared.perturbing import ANEW, KEPT, TRIES, Change, Changed, kept, order_of


def changes_of(targets: Integers, signs: str, limit: int) -> dict[str, Change]:
    """Changes by name. targets: that the task asks for; signs, limit: its operations and largest result."""
    allowed = [SIGNS.index(sign) for sign in signs]
    moves = partial(move_target, set(targets.tolist()), allowed, limit)
    return {
        "reorder_numbers": Change(reorder_numbers, KEPT, ("optimal_cost",)),
        "move_target": Change(moves, ANEW),
    }


def reorder_numbers(problem: Integers, draw: np.random.Generator) -> Changed:
    """The target stays."""
    numbers = problem[HEADER:]
    return kept(np.concatenate([problem[:HEADER], numbers[order_of(draw, len(numbers))]]))


def move_target(
    targets: set[int], signs: list[int], limit: int, problem: Integers, draw: np.random.Generator
) -> Changed | None:
    """The numbers stay."""
    numbers = problem[HEADER:].tolist()
    told = {int(problem[TARGET])} | (set() if problem[USE_ALL] else set(numbers))
    for _ in range(TRIES):
        reached = _reached(numbers, signs, limit, draw)
        if reached in targets - told:
            return Changed(np.concatenate([[reached], problem[TARGET + 1 :]]))
    return None


def _reached(numbers: list[int], signs: list[int], limit: int, draw: np.random.Generator) -> int:
    """What is left of the numbers after random operations, -1 if one cannot be done."""
    hand = numbers
    while len(hand) > 1:
        a, b, *rest = draw.permutation(hand).tolist()
        result = int(combine(int(draw.choice(signs)), a, b, limit))
        if result < 0:
            return -1
        hand = [result, *rest]
    return hand[0]
