"""What a best-first search asks of a state space. Tasks answer it for a NamedTuple of their own.

    class Grid(NamedTuple): ...

    @implements(neighbours, Grid)
    def grid_neighbours(grid, state, states, costs): ...

States are small integers (0..capacity-1). The functions below are stubs: compiled code that calls
them with a Grid gets Grid's own, inlined and cached on disk, which functions passed as arguments
would not be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import overload

WITHOUT_COUNTS: Any = {"_nrt": False, "error_model": "numpy"}  # see core.jit.kernel


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


def implements(stub: Callable[..., Any], kind: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the compiled meaning of `stub` for spaces of a NamedTuple class."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def choose(space: Any, *rest: Any) -> Callable[..., Any] | None:
            mine = isinstance(space, types.NamedTuple) and space.instance_class is kind
            return function if mine else None

        overload(stub, strict=False, jit_options=WITHOUT_COUNTS)(choose)
        return function

    return register
