"""What a best-first search asks of a state space. Tasks answer it for a NamedTuple of their own.

    class Grid(NamedTuple): ...

    @implements(neighbours, Grid)
    def grid_neighbours(grid, state, states, costs): ...

States are small integers (0..capacity-1). The functions below are stubs (see `search.questions`). Those that
do not raise may be left out: they mean what stands here.
"""

from __future__ import annotations

from typing import Any

from tracelab.core.arrays import Integers
from tracelab.search.questions import implements, means_itself, stub

__all__ = ["implements"]

Space = tuple[Any, ...]  # a task's own NamedTuple, for whose class it answers what is asked below


@stub
def capacity(space: Space) -> int:
    """One more than the largest state."""
    raise NotImplementedError


@stub
def start(space: Space) -> int:
    """The state that the search starts from."""
    raise NotImplementedError


@stub
def is_goal(space: Space, state: int) -> bool:
    """Does a state solve the problem?"""
    raise NotImplementedError


@stub
def heuristic(space: Space, state: int) -> int:
    """A lower bound on the cost from a state to a goal, an integer."""
    raise NotImplementedError


@stub
def neighbours(space: Space, state: int, states: Integers, costs: Integers) -> int:
    """Write the successors of a state, each once, and the costs of reaching them, in order -> how many."""
    raise NotImplementedError


@stub
def max_degree(space: Space) -> int:
    """The most successors that a state can have."""
    raise NotImplementedError


@stub
def read_state(space: Space, row: Integers, column: int) -> int:
    """The state that a row's operands name from `column` on, or -1 where they name none."""
    raise NotImplementedError


@stub
def write_state(space: Space, state: int, row: Integers, column: int) -> None:
    """Write a state's operands into a row from `column` on."""
    raise NotImplementedError


@stub
def read_other(space: Space, row: Integers, k: int) -> int:
    """The k-th state, from 0 on, that a closing's row may name beside that of `read_state`, or -1: where what
    is written leaves a choice, the first one that is open at the row's costs is taken.
    """
    return -1


@stub
def pose(space: Space, problem: Integers) -> None:
    """Make the space, whose arrays are reused, that of a stored problem."""


@stub
def is_full(space: Space) -> bool:
    """Did the search meet more states than there is room for?"""
    return False


@stub
def by_moves(space: Space) -> bool:
    """Do rows name moves? Then a creation's row says how its state is reached, and a solution's rows are
    the moves from the start on, which itself is left out.
    """
    return False


@stub
def names_created(space: Space) -> bool:
    """Do creations name the state, or the move that leads to it alone (by_moves alone)?"""
    return True


@stub
def names_start(space: Space) -> bool:
    """Does a solution begin with the start, all the same (by_moves alone)? `follow` then reads it from -1."""
    return False


@stub
def follow(space: Space, state: int, row: Integers) -> int:
    """The state that a row's move leads to from a state, or -1 (by_moves alone)."""
    return -1


@stub
def write_move(space: Space, state: int, after: int, row: Integers) -> None:
    """Write the move from a state to one of its successors into a row (by_moves alone)."""


for _stub in (read_other, pose, is_full, by_moves, names_created, names_start, follow, write_move):
    means_itself(_stub)
