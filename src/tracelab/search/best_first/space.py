"""What a best-first search asks of a state space. Tasks answer it for a NamedTuple of their own.

    class Grid(NamedTuple): ...

    @implements(neighbours, Grid)
    def grid_neighbours(grid, state, states, costs): ...

States are small integers (0..capacity-1). The functions below are stubs (see `search.questions`). Those that
do not raise may be left out: they mean what stands here.
"""

from __future__ import annotations

from typing import Any

from tracelab.search.questions import implements, means_itself, stub

__all__ = ["implements"]


@stub
def capacity(space: Any) -> Any:
    """One more than the largest state."""
    raise NotImplementedError


@stub
def start(space: Any) -> Any:
    """The state that the search starts from."""
    raise NotImplementedError


@stub
def is_goal(space: Any, state: Any) -> Any:
    """Does a state solve the problem?"""
    raise NotImplementedError


@stub
def heuristic(space: Any, state: Any) -> Any:
    """A lower bound on the cost from a state to a goal, an integer."""
    raise NotImplementedError


@stub
def neighbours(space: Any, state: Any, states: Any, costs: Any) -> Any:
    """Write the successors of a state, each once, and the costs of reaching them, in order -> how many."""
    raise NotImplementedError


@stub
def max_degree(space: Any) -> Any:
    """The most successors that a state can have."""
    raise NotImplementedError


@stub
def read_state(space: Any, row: Any, column: Any) -> Any:
    """The state that a row's operands name from `column` on, or -1 where they name none."""
    raise NotImplementedError


@stub
def write_state(space: Any, state: Any, row: Any, column: Any) -> Any:
    """Write a state's operands into a row from `column` on."""
    raise NotImplementedError


@stub
def pose(space: Any, problem: Any) -> Any:
    """Make the space, whose arrays are reused, that of a stored problem."""


@stub
def is_full(space: Any) -> Any:
    """Did the search meet more states than there is room for?"""
    return False


@stub
def by_moves(space: Any) -> Any:
    """Do rows name moves? Then a creation's row says how its state is reached, and a solution's rows are
    the moves from the start on, which itself is left out.
    """
    return False


@stub
def names_created(space: Any) -> Any:
    """Do creations name the state, or the move that leads to it alone (by_moves alone)?"""
    return True


@stub
def follow(space: Any, state: Any, row: Any) -> Any:
    """The state that a row's move leads to from a state, or -1 (by_moves alone)."""
    return -1


@stub
def write_move(space: Any, state: Any, after: Any, row: Any) -> Any:
    """Write the move from a state to one of its successors into a row (by_moves alone)."""


for _stub in (pose, is_full, by_moves, names_created, follow, write_move):
    means_itself(_stub)
