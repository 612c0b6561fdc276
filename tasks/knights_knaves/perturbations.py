"""Small changes of a puzzle that leave it one solution.

rename_people    people trade names, and with them the order in which they speak
swap_operands    what `and`, `or` and `iff` join trades sides, at one place or more
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.tasks.knights_knaves.statements import AND, CONNECTIVE, HEADER, IFF, NOT, OR
from tracelab.tasks.knights_knaves.text import statements_of
from tracelab.tasks.shared.perturbing import (
    KEPT,
    MAPPED,
    TRIES,
    Change,
    Changed,
    kept,
    order_of,
    with_operands,
)

EITHER_WAY = tuple(CONNECTIVE + connective for connective in (AND, OR, IFF))


def rename_people(problem: Integers, draw: np.random.Generator) -> Changed:
    """A statement goes with its speaker."""
    names = order_of(draw, int(problem[0]))
    literals = np.column_stack([2 * names, 2 * names + 1]).ravel()
    said = statements_of(problem)
    codes = [code if code >= CONNECTIVE else literals[code] for k in np.argsort(names) for code in said[k]]
    return Changed(
        np.concatenate([problem[:HEADER], codes]),
        lambda rows: with_operands(rows, np.sort(literals[rows[:, 1]])),
    )


def swap_operands(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """Each such connective with probability 1/2, drawn until something has changed."""
    for _ in range(TRIES):
        codes = [code for said in statements_of(problem) for code in _swapped(iter(said), draw)]
        changed = np.concatenate([problem[:HEADER], codes])
        if (changed != problem).any():
            return kept(changed)
    return None


def _swapped(codes: Iterator[int], draw: np.random.Generator) -> list[int]:
    """The statement that an iterator's next codes are, with operands exchanged here and there."""
    code = next(codes)
    if code < CONNECTIVE:
        return [code]
    left = _swapped(codes, draw)
    if code == CONNECTIVE + NOT:
        return [code, *left]
    right = _swapped(codes, draw)
    swaps = code in EITHER_WAY and draw.integers(2)
    return [code, *right, *left] if swaps else [code, *left, *right]


CHANGES = {
    "rename_people": Change(rename_people, MAPPED, ("connectives",)),
    "swap_operands": Change(swap_operands, KEPT, ("connectives",)),
}
