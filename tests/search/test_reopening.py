"""A* with a heuristic that is not consistent: states are reopened, and the way is the cheapest."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.search.best_first import space as spaces
from tracelab.search.best_first.board import new_board
from tracelab.search.best_first.reasons import NAMES
from tracelab.search.best_first.replay import replay
from tracelab.search.best_first.search import BestFirst, path_to, search

START, A, B, GOAL = range(4)


class Toy(NamedTuple):
    """costs: (4, 4) of edges, 0 where there is none; guesses: (4,) the heuristic."""

    costs: NDArray[np.int32]
    guesses: NDArray[np.int32]


@spaces.implements(spaces.capacity, Toy)
def _capacity(space: Toy) -> int:
    return 4


@spaces.implements(spaces.start, Toy)
def _start(space: Toy) -> int:
    return START


@spaces.implements(spaces.is_goal, Toy)
def _is_goal(space: Toy, state: int) -> bool:
    return state == GOAL


@spaces.implements(spaces.heuristic, Toy)
def _heuristic(space: Toy, state: int) -> int:
    return space.guesses[state]


@spaces.implements(spaces.max_degree, Toy)
def _max_degree(space: Toy) -> int:
    return 4


@spaces.implements(spaces.neighbours, Toy)
def _neighbours(space: Toy, state: int, states: Integers, costs: Integers) -> int:
    degree = 0
    for other in range(4):
        if space.costs[state, other] > 0:
            states[degree], costs[degree] = other, space.costs[state, other]
            degree += 1
    return degree


@spaces.implements(spaces.read_state, Toy)
def _read_state(space: Toy, row: Integers, column: int) -> int:
    return row[column]


@spaces.implements(spaces.write_state, Toy)
def _write_state(space: Toy, state: int, row: Integers, column: int) -> None:
    row[column] = state


def toy():
    """B is reached at cost 3 at once, and at 2 by way of A, which guesses 3 more, 1 away."""
    costs = np.zeros((4, 4), np.int32)
    costs[START, A], costs[START, B], costs[A, B], costs[B, GOAL] = 1, 3, 1, 3
    return Toy(costs, np.array([4, 4, 1, 0], np.int32))


def searched(strategy):
    """Rows of the search and the states of its way."""
    space, rows, path = toy(), np.empty((30, 4), np.int32), np.empty(4, np.int32)
    count, goal, parent, _ = search(space, strategy, np.zeros(1, np.uint64), rows)
    return rows[:count], path[: path_to(parent, goal, path)]


def judged(strategy, rows, path):
    """(local, strict) reasons."""
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    replay(toy(), strategy, rows, len(rows), path, new_board(toy(), len(rows)), reason, at)
    return tuple(NAMES[r] for r in reason)


@pytest.mark.parametrize(
    ("reopens", "cost", "way"), [(True, 5, [START, A, B, GOAL]), (False, 6, [START, B, GOAL])]
)
def test_reopening_finds_the_cheapest_way(reopens, cost, way):
    strategy = BestFirst(reopens=reopens).compiled()
    rows, path = searched(strategy)
    assert rows[-1].tolist() == [1, GOAL, cost, 0]
    assert path.tolist() == way
    assert (rows[:, :2].tolist().count([1, B]) == 2) == reopens
    assert judged(strategy, rows, path) == ("ok", "ok")


def test_who_does_not_reopen_may_not_and_who_does_must():
    on, off = (BestFirst(reopens=reopens).compiled() for reopens in (True, False))
    assert judged(off, *searched(on)) == ("already_closed", "already_closed")
    assert judged(on, *searched(off)) == ("ok", "missing_successor")
