"""What a backtracking search asks of a problem. Tasks answer it for a NamedTuple of their own.

    class Formula(NamedTuple): ...

    @implements(domain, Formula)
    def formula_domain(csp, variable): ...

Variables and values are small integers; a literal `variable * csp.values + value` says that the
variable has the value. A `Csp` says what every task's NamedTuple holds. The functions below are stubs (see
`search.questions`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random
from tracelab.core.jit import kernel
from tracelab.search.questions import implements, stub

__all__ = ["implements"]

OPEN, OUTSIDE = -1, -2
FIRST, MOST_CONSTRAINED, ANY = range(3)
RULES = ("first", "most_constrained", "any")


class Csp(Protocol):
    """A task's NamedTuple: this, and tables of its constraints, arrays that `load` fills for each problem."""

    @property
    def assignment(self) -> NDArray[np.int8]:
        """(variables,): each variable's value, OPEN, or OUTSIDE where the problem has none such."""
        ...

    @property
    def values(self) -> int:
        """The most values that a variable can have, 62 at most (domains are bit masks)."""
        ...

    @property
    def positional(self) -> bool:
        """Is a solution written as bare values in the order of the variables, or as literals?"""
        ...

    @property
    def rule(self) -> int:
        """Which variable is decided on, a place in RULES."""
        ...


@stub
def load(csp: Csp, problem: Integers) -> None:
    """Fill the tables from a problem's stored integers; only what the problem gives is assigned."""
    raise NotImplementedError


@stub
def update(csp: Csp, variable: int, value: int, by: int) -> None:
    """Keep the tables up: the variable has just got the value (by=1), or lost it (by=-1)."""
    raise NotImplementedError


@stub
def domain(csp: Csp, variable: int) -> int:
    """The values that an open variable may be given now, as a bit mask."""
    raise NotImplementedError


@stub
def slack(csp: Csp, variable: int) -> int:
    """The rule "most_constrained" takes an open variable of least slack."""
    raise NotImplementedError


@stub
def find_conflict(csp: Csp, row: Integers) -> bool:
    """Is there a conflict? If so, write what it is at (literal, constraint) into row[1:3]."""
    raise NotImplementedError


@stub
def find_forced(csp: Csp, row: Integers) -> bool:
    """Does a literal follow? If so, write it and the constraint that it follows from into row[1:3]."""
    raise NotImplementedError


@stub
def is_conflict(csp: Csp, row: Integers) -> bool:
    """Is there a conflict at row[1:3]? Any integers may stand there."""
    raise NotImplementedError


@stub
def follows(csp: Csp, row: Integers) -> bool:
    """Does the literal row[1] of an open variable follow from row[2]? Any integer may stand there."""
    raise NotImplementedError


@stub
def solves(csp: Csp, values: Integers) -> bool:
    """Does a full assignment (variables,) solve the problem? (Nothing is assigned by a search yet.)"""
    raise NotImplementedError


@stub
def satisfiable(csp: Csp) -> bool:
    """Does the problem have a solution?"""
    raise NotImplementedError


@stub
def draw(csp: Csp, random: Random, wish: np.uint64, problem: Integers) -> int:
    """Draw a problem's integers -> how many, or 0: this draw gave none.

    wish: random bits of the key, the same in each draw for it: what redrawing must not shift (whether
    the problem is to be satisfiable, its number of clues) is decided by them.
    """
    raise NotImplementedError


@stub
def accept(csp: Csp, wish: np.uint64, solved: bool, problem: Integers) -> bool:
    """Is a loaded problem wanted, now that it is known to have a solution or none? May write into it."""
    raise NotImplementedError


@stub
def identity(csp: Csp) -> np.uint64:
    """The canonical hash of the loaded problem: equal for equivalent problems."""
    raise NotImplementedError


@kernel
def rank(csp: Csp, variable: int) -> int:
    """A variable's rank: the decision rule takes an open one of least rank."""
    if csp.rule == FIRST:
        return variable
    return slack(csp, variable) if csp.rule == MOST_CONSTRAINED else 0


@kernel
def least_rank(csp: Csp) -> tuple[int, int]:
    """The least rank of an open variable, and how many have it; (0, 0) where none is open."""
    least, ties = 0, 0
    for variable in range(len(csp.assignment)):
        if csp.assignment[variable] != OPEN:
            continue
        mine = rank(csp, variable)
        if ties == 0 or mine < least:
            least, ties = mine, 0
        ties += mine == least
    return least, ties
