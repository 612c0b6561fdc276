"""Small changes of a program.

rename          the definitions have other names, drawn among all
reorder         the definitions in another order
other_numbers   the constants are drawn anew

`other_value` leaves the program as it is and asks for another value.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.tasks.arithmetic.program import HEADER, LET, WIDTH
from tracelab.tasks.arithmetic.search import MEASURES
from tracelab.tasks.shared.perturbing import ANEW, KEPT, Change, Changed, kept, order_of

ASKED = 3  # place in the header


def changes_of(names: int) -> dict[str, Change]:
    """Changes by name. names: how many there are."""
    return {
        "rename": Change(partial(rename, names), KEPT, MEASURES),
        "reorder": Change(reorder, KEPT, MEASURES),
        "other_numbers": Change(other_numbers, ANEW, MEASURES),
    }


def rename(names: int, problem: Integers, draw: np.random.Generator) -> Changed:
    """Order and numbers stay."""
    new, definitions = order_of(draw, names), _definitions(problem)
    operands = definitions[:, 2:]
    definitions[:, 0] = new[definitions[:, 0]]
    definitions[:, 2:] = np.where(operands < 0, operands, new[np.maximum(operands, 0)])
    count, _, modulus, asked = problem[:HEADER]
    header = [count, definitions[:, 0].max() + 1, modulus, new[asked]]
    return kept(np.concatenate([header, definitions.ravel()]))


def reorder(problem: Integers, draw: np.random.Generator) -> Changed:
    """Names and numbers stay."""
    definitions = _definitions(problem)
    return kept(np.concatenate([problem[:HEADER], definitions[order_of(draw, len(definitions))].ravel()]))


def other_numbers(problem: Integers, draw: np.random.Generator) -> Changed:
    """Names, operations and order stay. A constant c is stored as -1 - c; LET has one operand, the left."""
    definitions = _definitions(problem)
    constant = definitions[:, 2:] < 0
    constant[:, 1] &= definitions[:, 1] != LET
    drawn = -1 - draw.integers(int(problem[2]), size=constant.shape)
    definitions[:, 2:] = np.where(constant, drawn, definitions[:, 2:])
    return Changed(np.concatenate([problem[:HEADER], definitions.ravel()]))


def other_value(problem: Integers, draw: np.random.Generator) -> Changed | None:
    """Another name is asked for, of those that are defined: all are equally likely."""
    names = _definitions(problem)[:, 0]
    names = names[names != problem[ASKED]]
    if len(names) == 0:
        return None
    changed = problem.copy()
    changed[ASKED] = draw.choice(names)
    return Changed(changed)


def _definitions(problem: Integers) -> NDArray[np.int64]:
    """(definitions, WIDTH): a copy of a stored problem's."""
    return np.array(problem[HEADER:], np.int64).reshape(-1, WIDTH)
