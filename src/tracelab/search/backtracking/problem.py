"""What a backtracking search asks of a problem. Tasks answer it for a NamedTuple of their own.

    class Formula(NamedTuple): ...

    @implements(domain, Formula)
    def formula_domain(csp, variable): ...

Variables and values are small integers; a literal `variable * csp.values + value` says that the
variable has the value. A task's NamedTuple holds

    assignment   (variables,) int8: each variable's value, OPEN, or OUTSIDE where the problem has none such
    values       the most values that a variable can have, 62 at most (domains are bit masks)
    positional   is a solution written as bare values in the order of the variables, or as literals?
    rule         which variable is decided on, a place in RULES

beside the tables of its constraints, all of them arrays that `load` fills anew for each problem. The
functions below are stubs (see `search.questions`).
"""

from __future__ import annotations

from typing import Any

from tracelab.core.jit import kernel
from tracelab.search.questions import implements, stub

__all__ = ["implements"]

OPEN, OUTSIDE = -1, -2
FIRST, MOST_CONSTRAINED, ANY = range(3)
RULES = ("first", "most_constrained", "any")


@stub
def load(csp: Any, problem: Any) -> Any:
    """Fill the tables from a problem's stored integers; only what the problem gives is assigned."""
    raise NotImplementedError


@stub
def update(csp: Any, variable: Any, value: Any, by: Any) -> Any:
    """Keep the tables up: the variable has just got the value (by=1), or lost it (by=-1)."""
    raise NotImplementedError


@stub
def domain(csp: Any, variable: Any) -> Any:
    """The values that an open variable may be given now, as a bit mask."""
    raise NotImplementedError


@stub
def slack(csp: Any, variable: Any) -> Any:
    """The rule "most_constrained" takes an open variable of least slack."""
    raise NotImplementedError


@stub
def find_conflict(csp: Any, row: Any) -> Any:
    """Is there a conflict? If so, write what it is at (literal, constraint) into row[1:3]."""
    raise NotImplementedError


@stub
def find_forced(csp: Any, row: Any) -> Any:
    """Does a literal follow? If so, write it and the constraint that it follows from into row[1:3]."""
    raise NotImplementedError


@stub
def is_conflict(csp: Any, row: Any) -> Any:
    """Is there a conflict at row[1:3]? Any integers may stand there."""
    raise NotImplementedError


@stub
def follows(csp: Any, row: Any) -> Any:
    """Does the literal row[1] of an open variable follow from row[2]? Any integer may stand there."""
    raise NotImplementedError


@stub
def solves(csp: Any, values: Any) -> Any:
    """Does a full assignment (variables,) solve the problem? (Nothing is assigned by a search yet.)"""
    raise NotImplementedError


@stub
def satisfiable(csp: Any) -> Any:
    """Does the problem have a solution?"""
    raise NotImplementedError


@stub
def draw(csp: Any, random: Any, wish: Any, problem: Any) -> Any:
    """Draw a problem's integers -> how many, or 0: this draw gave none.

    wish: random bits of the key, the same in each draw for it: what redrawing must not shift (whether
    the problem is to be satisfiable, its number of clues) is decided by them.
    """
    raise NotImplementedError


@stub
def accept(csp: Any, wish: Any, solved: Any, problem: Any) -> Any:
    """Is a loaded problem wanted, now that it is known to have a solution or none? May write into it."""
    raise NotImplementedError


@stub
def identity(csp: Any) -> Any:
    """The canonical hash of the loaded problem: equal for equivalent problems."""
    raise NotImplementedError


@kernel
def rank(csp, variable):  # type: ignore[no-untyped-def]
    """The decision rule takes an open variable of least rank."""
    if csp.rule == FIRST:
        return variable
    return slack(csp, variable) if csp.rule == MOST_CONSTRAINED else 0


@kernel
def least_rank(csp):  # type: ignore[no-untyped-def]
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
