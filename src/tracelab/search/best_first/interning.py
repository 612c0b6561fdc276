"""Sparse states: 64-bit words are numbered 0, 1, 2... as they are met, so that a search can index by them.

@interning
class Board(NamedTuple):
    states: Interned
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import int64
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import mix64
from tracelab.search.best_first.space import capacity, implements, is_full

Kind = TypeVar("Kind", bound=type)


class Interned(NamedTuple):
    """An open-addressing hash table.

    words: (capacity,) the word of each number; places: (capacity,) where the number stands in slots; slots:
    numbers, -1 where free; used: (2,) how many words there are, and how many found no room.
    """

    words: NDArray[np.int64]
    places: NDArray[np.int32]
    slots: NDArray[np.int32]
    used: NDArray[np.int64]


class Interning(Protocol):
    """A space that numbers its states."""

    @property
    def states(self) -> Interned:
        """Those that were met."""
        ...


@njit
def new_interned(capacity: int) -> Interned:
    """Room for so many words."""
    size = 2
    while size < 2 * capacity:
        size *= 2
    slots = np.full(size, -1, np.int32)
    return Interned(np.empty(capacity, np.int64), np.empty(capacity, np.int32), slots, np.zeros(2, np.int64))


@kernel
def forget(interned: Interned) -> None:
    """Start anew."""
    for k in range(interned.used[0]):
        interned.slots[interned.places[k]] = -1
    interned.used[:] = 0


@kernel
def intern(interned: Interned, word: int) -> int:
    """The number of a word, a new one if it was not met before; -1 if there is no room for it."""
    slots, words = interned.slots, interned.words
    slot = int64(mix64(np.uint64(word)) & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        if words[slots[slot]] == word:
            return int64(slots[slot])
        slot = (slot + 1) & (len(slots) - 1)
    number = interned.used[0]
    if number == len(words):
        interned.used[1] += 1
        return int64(-1)
    slots[slot], words[number], interned.places[number] = number, word, slot
    interned.used[0] += 1
    return number


def interning(kind: Kind) -> Kind:
    """Spaces of this NamedTuple class number their states in `states`: that is the room that they have."""
    implements(capacity, kind)(_capacity)
    implements(is_full, kind)(_is_full)
    return kind


def _capacity(space: Interning) -> int:
    return len(space.states.words)


def _is_full(space: Interning) -> bool:
    return space.states.used[1] > 0
