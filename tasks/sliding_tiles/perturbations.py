"""Small changes of a sliding-tile puzzle.

    slide          one move is made, drawn among those that do not end it
    transpose      rows become columns, of a square board; an ordered goal is ordered again by renaming tiles
    mirror         left and right are exchanged, in the board and in the goal
    rename_tiles   the tiles trade names

A mirrored or renamed goal is not ordered: those two are for random goals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.shared.perturbing import (
    ANEW,
    KEPT,
    MAPPED,
    Change,
    Changed,
    kept,
    order_of,
    with_operands,
)
from tracelab.tasks.sliding_tiles.space import HEADER

SAME = ("optimal_cost",)


def changes_of(shape: Sequence[int], ordered: bool) -> dict[str, Change]:
    """Changes by name, for boards of a shape. ordered: is every goal?"""
    found = {"slide": Change(slide, ANEW)}
    if shape[0] == shape[1]:
        make, answer = (transpose_ordered, MAPPED) if ordered else (transpose, KEPT)
        found["transpose"] = Change(make, answer, SAME)
    if not ordered:
        found["mirror"] = Change(mirror, KEPT, SAME)
        found["rename_tiles"] = Change(rename_tiles, MAPPED, SAME)
    return found


def slide(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """The goal stays."""
    start, goal = _boards(problem)
    y, x = np.argwhere(start == 0)[0]
    for down, right in draw.permutation([(-1, 0), (1, 0), (0, -1), (0, 1)]):
        if 0 <= y + down < start.shape[0] and 0 <= x + right < start.shape[1]:
            moved = start.copy()
            moved[y, x], moved[y + down, x + right] = start[y + down, x + right], 0
            if (moved != goal).any():
                return Changed(_stored(problem, np.stack([moved, goal])))
    return None


def transpose(problem: Integers, draw: np.random.Generator) -> Changed:
    """Tiles keep their names, and so do moves."""
    return kept(_stored(problem, _boards(problem).transpose(0, 2, 1)))


def transpose_ordered(problem: Integers, draw: np.random.Generator) -> Changed:
    """The gap stays last in the goal."""
    boards = _boards(problem).transpose(0, 2, 1)
    return _renamed(problem, boards, _boards(problem)[1].ravel()[np.argsort(boards[1], axis=None)])


def mirror(problem: Integers, draw: np.random.Generator) -> Changed:
    """Tiles keep their names, and so do moves."""
    return kept(_stored(problem, _boards(problem)[:, :, ::-1]))


def rename_tiles(problem: Integers, draw: np.random.Generator) -> Changed:
    """The gap, 0, stays."""
    boards = _boards(problem)
    return _renamed(problem, boards, np.concatenate([[0], 1 + order_of(draw, boards[0].size - 1)]))


def _renamed(problem: Integers, boards: Integers, names: Integers) -> Changed:
    return Changed(_stored(problem, names[boards]), lambda rows: with_operands(rows, names[rows[:, 1]]))


def _boards(problem: Integers) -> NDArray[np.int16]:
    """(2, rows, columns): the board and the goal."""
    return np.asarray(problem[HEADER:], np.int16).reshape(2, *problem[:HEADER])


def _stored(problem: Integers, boards: Integers) -> Integers:
    return np.concatenate([problem[:HEADER], boards.ravel()])
