"""Small changes of a formula that keep whether it can be satisfied.

rename_variables   variables trade names
flip_polarity      some variables, one at least, mean their negation
reorder_clauses    the clauses in another order, and so under other names
"""

from __future__ import annotations

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.tasks.sat.formula import HEADER
from tracelab.tasks.shared.perturbing import KEPT, MAPPED, Change, Changed, kept, order_of, with_operands

UNSATISFIABLE = 1  # a solution's operation that claims it


def rename_variables(problem: Integers, draw: np.random.Generator) -> Changed:
    """A literal keeps its sign."""
    names = order_of(draw, int(problem[0]))
    literals = np.column_stack([2 * names, 2 * names + 1]).ravel()
    return _with_literals(problem, literals)


def flip_polarity(problem: Integers, draw: np.random.Generator) -> Changed:
    """A variable keeps its name."""
    flipped = np.zeros(int(problem[0]), np.int64)
    while not flipped.any():
        flipped = draw.integers(2, size=len(flipped))
    return _with_literals(problem, np.arange(2 * len(flipped)) ^ np.repeat(flipped, 2))


def reorder_clauses(problem: Integers, draw: np.random.Generator) -> Changed:
    """A clause keeps its literals."""
    _, count, size = (int(number) for number in problem[:3])
    clauses = problem[HEADER:].reshape(count, size)[order_of(draw, count)]
    return kept(np.concatenate([problem[:HEADER], clauses.ravel()]))


def _with_literals(problem: Integers, literals: Integers) -> Changed:
    """The formula with literals[l] for literal l; assignments stay in the order of variables."""

    def carry(rows: Integers) -> Integers:
        if rows[0, 0] == UNSATISFIABLE:
            return rows
        return with_operands(rows, np.sort(literals[rows[:, 1]]))

    return Changed(np.concatenate([problem[:HEADER], literals[problem[HEADER:]]]), carry)


CHANGES = {
    "rename_variables": Change(rename_variables, MAPPED, ("satisfiable",)),
    "flip_polarity": Change(flip_polarity, MAPPED, ("satisfiable",)),
    "reorder_clauses": Change(reorder_clauses, KEPT, ("satisfiable",)),
}
