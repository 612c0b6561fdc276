"""Nim: objects in heaps, of which a side takes one or more from one heap.

A problem is stored as the number of heaps, the largest one's size, and the sizes; a heap may be empty, but
not the last.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import wrapping
from tracelab.core.rng import below, mix64
from tracelab.search.game_tree import game as games
from tracelab.search.game_tree.game import LOSS, NONE, WIN

HEADER = 2
HEAPS, LEFT = range(2)


class Draws(NamedTuple):
    """What is drawn: how many objects (both ends), and how many heaps they may lie in."""

    fewest: int
    most: int
    heaps: int


class Heaps(NamedTuple):
    """Up to plies // most heaps of up to `most` objects; a move is heap * most + objects taken - 1.

    draws: see `draw`; misere: does the side lose that takes the last object?; sizes: (heaps,); state: (2,)
    how many heaps, how many objects.
    """

    draws: Draws
    moves: int
    plies: int
    most: int
    misere: bool
    sizes: NDArray[np.int32]
    state: NDArray[np.int32]


def new_heaps(draws: Draws, heaps: int, most: int, misere: bool) -> Heaps:
    """Empty heaps with room for so many, of so many objects each."""
    arrays = np.zeros(heaps, np.int32), np.zeros(2, np.int32)
    return Heaps(draws, heaps * most, heaps * most, most, misere, *arrays)


@games.implements(games.load, Heaps)
def load(heaps: Heaps, problem: Integers) -> None:
    """Write the sizes."""
    heaps.state[HEAPS], heaps.state[LEFT] = problem[0], 0
    for heap in range(problem[0]):
        heaps.sizes[heap] = problem[HEADER + heap]
        heaps.state[LEFT] += problem[HEADER + heap]


@games.implements(games.legal, Heaps)
def legal(heaps: Heaps, move: int) -> bool:
    """A heap with so many objects."""
    if move < 0 or move // heaps.most >= heaps.state[HEAPS]:
        return False
    return move % heaps.most < heaps.sizes[move // heaps.most]


@games.implements(games.make, Heaps)
def make(heaps: Heaps, move: int) -> None:
    """Take objects."""
    taken = move % heaps.most + 1
    heaps.sizes[move // heaps.most] -= taken
    heaps.state[LEFT] -= taken


@games.implements(games.unmake, Heaps)
def unmake(heaps: Heaps, move: int) -> None:
    """Put objects back."""
    taken = move % heaps.most + 1
    heaps.sizes[move // heaps.most] += taken
    heaps.state[LEFT] += taken


@games.implements(games.outcome, Heaps)
def outcome(heaps: Heaps) -> int:
    """Where nothing is left the other side has taken the last object."""
    if heaps.state[LEFT] > 0:
        return NONE
    return WIN if heaps.misere else LOSS


@games.implements(games.left, Heaps)
def left(heaps: Heaps) -> int:
    """One for each object."""
    return heaps.state[LEFT]


@games.implements(games.draw, Heaps)
def draw(heaps: Heaps, random: Random, problem: Integers) -> int:
    """Each object lies in a random heap; the last heap that is stored is not empty."""
    draws, largest, count = heaps.draws, 0, 0
    for heap in range(draws.heaps):
        problem[HEADER + heap] = 0
    for _ in range(draws.fewest + below(random, draws.most - draws.fewest + 1)):
        heap = below(random, draws.heaps)
        problem[HEADER + heap] += 1
        largest = max(largest, problem[HEADER + heap])
        count = max(count, heap + 1)
    problem[0], problem[1] = count, largest
    return HEADER + count


@games.implements(games.identity, Heaps)
@wrapping
def identity(heaps: Heaps) -> np.uint64:
    """Equal where every heap is: there are too few sizes for splits that are blind to the heaps' names."""
    word = np.uint64(0x4E494D)
    for heap in range(heaps.state[HEAPS]):
        if heaps.sizes[heap] > 0:
            word += mix64(mix64(np.uint64(heap + 1)) + np.uint64(heaps.sizes[heap]))
    return mix64(word)
