"""Small changes of a position.

mirror          left and right are exchanged
rotate          a quarter turn, of what is oblong half a turn (not where marks fall)
swap_marks      the sides trade marks and the move
permute_heaps   heaps trade names
move_object     an object comes to lie in another heap
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.game import board, heaps
from tracelab.tasks.shared.perturbing import (
    ANEW,
    KEPT,
    MAPPED,
    Change,
    Changed,
    carry_cells,
    kept,
    mirrored,
    numbered,
    order_of,
    turned,
    with_operands,
)

Turn = Callable[[NDArray[np.int64]], NDArray[np.int64]]  # cells -> which one comes to lie in each place


def board_changes(stride: int, gravity: bool, same: tuple[str, ...]) -> dict[str, Change]:
    """Changes of boards by name. stride: of a move's number; same: the measures that do not change."""
    found = {"mirror": Change(partial(moved, stride, gravity, mirrored), MAPPED, same)}
    if not gravity:
        found["rotate"] = Change(partial(moved, stride, gravity, turned), MAPPED, same)
    return {**found, "swap_marks": Change(swap_marks, KEPT, same)}


def heaps_changes(count: int, most: int, same: tuple[str, ...]) -> dict[str, Change]:
    """Changes of up to so many heaps by name. most: objects of the largest that can be written."""
    return {
        "permute_heaps": Change(partial(permute_heaps, count, most), MAPPED, same),
        "move_object": Change(partial(move_object, count, most), ANEW, ("left",)),
    }


def moved(stride: int, gravity: bool, turn: Turn, problem: Integers, draw: np.random.Generator) -> Changed:
    """Who is to move stays."""
    height, width, _ = (int(number) for number in problem[: board.HEADER])
    places = turn(numbered(height, width))
    changed = np.concatenate([problem[: board.HEADER], problem[board.HEADER :][places.ravel()]])
    if gravity:
        return Changed(changed, lambda rows: with_operands(rows, width - 1 - rows[:, 1]))
    return Changed(changed, carry_cells(places, stride))


def swap_marks(problem: Integers, draw: np.random.Generator) -> Changed:
    """The cells stay."""
    changed = np.array(problem)
    changed[2:] = np.where(changed[2:] == 0, 0, 3 - changed[2:])
    return kept(changed)


def permute_heaps(count: int, most: int, problem: Integers, draw: np.random.Generator) -> Changed:
    """Names are drawn among all; sizes stay."""
    sizes = _sizes(problem, count)
    place = order_of(draw, len(sizes))  # where each heap comes to lie
    changed = np.zeros_like(sizes)
    changed[place] = sizes
    return Changed(
        _stored(changed),
        lambda rows: with_operands(rows, place[rows[:, 1] // most] * most + rows[:, 1] % most),
    )


def move_object(count: int, most: int, problem: Integers, draw: np.random.Generator) -> Changed | None:
    """One object lies elsewhere; None if every other heap is as large as can be written."""
    sizes = _sizes(problem, count)
    free = sizes < most
    givers = (sizes > 0) & (free.sum() > free)  # another heap has room
    if not givers.any():
        return None
    giver = draw.choice(np.flatnonzero(givers))
    free[giver] = False
    taker = draw.choice(np.flatnonzero(free))
    sizes[giver] -= 1
    sizes[taker] += 1
    return Changed(_stored(sizes))


def _sizes(problem: Integers, count: int) -> NDArray[np.int64]:
    """(heaps,): as many as there are, or `count` with empty ones."""
    sizes = np.asarray(problem[heaps.HEADER :], np.int64)
    return np.concatenate([sizes, np.zeros(max(count - len(sizes), 0), np.int64)])


def _stored(sizes: NDArray[np.int64]) -> Integers:
    last = int(np.flatnonzero(sizes)[-1]) + 1
    return np.concatenate([[last, sizes.max()], sizes[:last]])
