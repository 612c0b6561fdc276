"""What a best-first search asks of a state space. Tasks answer it for a NamedTuple of their own.

    class Grid(NamedTuple): ...

    @implements(neighbours, Grid)
    def grid_neighbours(grid, state, states, costs): ...

States are small integers (0..capacity-1). The functions below are stubs: compiled code that calls
them with a Grid gets Grid's own, inlined and cached on disk, which functions passed as arguments
would not be. Those that do not raise may be left out: they mean what stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import overload

WITHOUT_COUNTS: Any = {"_nrt": False, "error_model": "numpy"}  # see core.jit.kernel
OWN: dict[Callable[..., Any], set[type]] = {}  # stub -> the spaces with a meaning of their own


def capacity(space: Any) -> Any:
    """One more than the largest state."""
    raise NotImplementedError


def start(space: Any) -> Any:
    """The state that the search starts from."""
    raise NotImplementedError


def is_goal(space: Any, state: Any) -> Any:
    """Does a state solve the problem?"""
    raise NotImplementedError


def heuristic(space: Any, state: Any) -> Any:
    """A lower bound on the cost from a state to a goal, an integer."""
    raise NotImplementedError


def neighbours(space: Any, state: Any, states: Any, costs: Any) -> Any:
    """Write the successors of a state and the costs of reaching them, in order -> how many."""
    raise NotImplementedError


def max_degree(space: Any) -> Any:
    """The most successors that a state can have."""
    raise NotImplementedError


def read_state(space: Any, row: Any, column: Any) -> Any:
    """The state that a row's operands name from `column` on, or -1 where they name none."""
    raise NotImplementedError


def write_state(space: Any, state: Any, row: Any, column: Any) -> Any:
    """Write a state's operands into a row from `column` on."""
    raise NotImplementedError


def pose(space: Any, problem: Any) -> Any:
    """Make the space, whose arrays are reused, that of a stored problem."""


def is_full(space: Any) -> Any:
    """Did the search meet more states than there is room for?"""
    return False


def by_moves(space: Any) -> Any:
    """Do rows name moves? Then a creation's row says how its state is reached, and a solution's rows are
    the moves from the start on, which itself is left out.
    """
    return False


def names_created(space: Any) -> Any:
    """Do creations name the state, or the move that leads to it alone (by_moves alone)?"""
    return True


def follow(space: Any, state: Any, row: Any) -> Any:
    """The state that a row's move leads to from a state, or -1 (by_moves alone)."""
    return -1


def write_move(space: Any, state: Any, after: Any, row: Any) -> Any:
    """Write the move from a state to one of its successors into a row (by_moves alone)."""


def implements(stub: Callable[..., Any], kind: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the compiled meaning of `stub` for spaces of a NamedTuple class."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        OWN.setdefault(stub, set()).add(kind)

        def choose(space: Any, *rest: Any) -> Callable[..., Any] | None:
            mine = isinstance(space, types.NamedTuple) and space.instance_class is kind
            return function if mine else None

        overload(stub, strict=False, jit_options=WITHOUT_COUNTS)(choose)
        return function

    return register


def _by_default(stub: Callable[..., Any]) -> None:
    """Let a stub mean its own body for spaces that do not implement it."""

    def choose(space: Any, *rest: Any) -> Callable[..., Any] | None:
        theirs = isinstance(space, types.NamedTuple) and space.instance_class not in OWN.get(stub, ())
        return stub if theirs else None

    overload(stub, strict=False, jit_options=WITHOUT_COUNTS)(choose)


for _stub in (pose, is_full, by_moves, names_created, follow, write_move):
    _by_default(_stub)
