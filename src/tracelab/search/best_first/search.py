"""Best-first search as a trace: A*, Dijkstra, BFS, DFS and greedy differ in the priority alone.

A trace row is (op, state..., g, h) with op `create` (a state enters the open list, or its g
improves) or `close` (the state of least priority leaves it). The search stops when it closes a goal.
`search` records; `replay.py` checks.

Sources: Hart, Nilsson and Raphael 1968 (A*); Lehnert et al. 2024 (arXiv 2402.14083) and Stechly et
al. 2025 (arXiv 2505.13775) for the trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, int64
from tracelab.core.jit import kernel, njit
from tracelab.core.rng import next64, shuffle
from tracelab.search.best_first.heap import pop, push
from tracelab.search.best_first.space import (
    Space,
    by_moves,
    capacity,
    heuristic,
    is_goal,
    max_degree,
    neighbours,
    start,
    write_move,
    write_state,
)

CREATE, CLOSE = 0, 1
OPS = ("create", "close")
UNSEEN, OPEN, CLOSED = 0, 1, 2
NO_WAY, NO_ROOM = -1, -2
ASTAR, DIJKSTRA, BFS, DFS, GREEDY = range(5)
SOLVERS = ("astar", "dijkstra", "bfs", "dfs", "greedy")
SHORTEST_PATHS = ("astar", "dijkstra", "bfs")  # where steps cost 1 and the heuristic is consistent
FIFO, LIFO, RANDOM = range(3)
TIE_BREAKS = ("fifo", "lifo", "random")


class Strategy(NamedTuple):
    """A solver as compiled code sees it.

    create_start: does the trace begin with the creation of the start (Searchformer's dialect) or
    with its closing (Beyond Semantics')? reopens: is a closed state created again when it is reached at
    less cost (A* and Dijkstra)? A* needs that where the heuristic is not consistent.
    """

    solver: int
    tie_break: int
    create_start: bool
    reopens: bool


@dataclass(frozen=True)
class BestFirst:
    """A solver by name. tie_break: among states of equal priority, the first created, the last,
    or a random one (random also shuffles the order of successors).
    """

    solver: str = "astar"
    tie_break: str = "fifo"
    create_start: bool = False
    reopens: bool = False

    def compiled(self) -> Strategy:
        """ValueError on an unknown name."""
        for value, known, knob in (
            (self.solver, SOLVERS, "solver"),
            (self.tie_break, TIE_BREAKS, "tie_break"),
        ):
            if value not in known:
                raise ValueError(f"{knob}={value!r} is unknown; choose one of {', '.join(known)}")
        solver, tie_break = SOLVERS.index(self.solver), TIE_BREAKS.index(self.tie_break)
        return Strategy(solver, tie_break, self.create_start, self.reopens)


@kernel
def priority(solver: int, g: int, h: int, depth: int, expansions: int) -> int:
    """What the open list is ordered by. DFS: the latest expansion's successors come first."""
    if solver == ASTAR:
        return g + h
    if solver == DIJKSTRA:
        return g
    if solver == BFS:
        return depth
    if solver == DFS:
        return -expansions
    return h


@kernel
def improves(strategy: Strategy, status: int, new_g: int, g: int) -> bool:
    """Is a state created when it is reached at cost new_g? A* and Dijkstra update open states."""
    if status == UNSEEN:
        return True
    minds = strategy.solver == ASTAR or strategy.solver == DIJKSTRA
    return minds and new_g < g and (status == OPEN or strategy.reopens)


@njit
def search(
    space: Space, strategy: Strategy, random: Random, rows: Integers
) -> tuple[int, int, NDArray[np.int32], int]:
    """Search and record. rows: (room, width) int32, overwritten; max_rows(space) of them are always enough.

    -> (rows written, goal state or NO_WAY or NO_ROOM, parents (capacity,), expansions)
    """
    n = capacity(space)
    status, parent = np.zeros(n, np.uint8), np.empty(n, np.int32)
    g, depth = np.empty(n, np.int32), np.empty(n, np.int32)
    tie = np.empty(n, np.int64)
    states, costs = np.empty(max_degree(space), np.int32), np.empty(max_degree(space), np.int32)
    keys, items = np.empty(len(rows) + 1, np.int64), np.empty(len(rows) + 1, np.int32)
    order = np.empty(max_degree(space), np.int64)
    created, expansions, count = 1, 0, 0

    state = start(space)
    status[state], parent[state] = OPEN, -1
    g[state] = depth[state] = tie[state] = 0
    size = push(keys, items, 0, 0, state)
    if strategy.create_start:
        count = record(space, rows, count, CREATE, state, 0, heuristic(space, state))

    while size > 0:
        state = items[0]
        size = pop(keys, items, size)
        if status[state] == CLOSED:  # an entry that a better one replaced
            continue
        if count == len(rows):
            return count, NO_ROOM, parent, expansions
        status[state] = CLOSED
        expansions += 1
        count = record(space, rows, count, CLOSE, state, g[state], heuristic(space, state))
        if is_goal(space, state):
            return count, state, parent, expansions
        degree = neighbours(space, state, states, costs)
        put_in_order(order[:degree], strategy.tie_break, random)
        for k in range(degree):
            successor, cost = states[order[k]], costs[order[k]]
            new_g = g[state] + cost
            if not improves(strategy, status[successor], new_g, g[successor]):
                continue
            if count == len(rows):
                return count, NO_ROOM, parent, expansions
            if status[successor] == UNSEEN or strategy.tie_break != FIFO:
                tie[successor] = tie_of(strategy.tie_break, created, random)
                created += 1
            status[successor], parent[successor] = OPEN, state
            g[successor], depth[successor] = new_g, depth[state] + 1
            h = heuristic(space, successor)
            rank = priority(strategy.solver, new_g, h, depth[successor], expansions)
            size = push(keys, items, size, (int64(rank) << 32) + tie[successor], successor)
            count = record(space, rows, count, CREATE, successor, new_g, h)
            if by_moves(space):
                write_move(space, state, successor, rows[count - 1])
    return count, NO_WAY, parent, expansions


@kernel
def put_in_order(order: Integers, tie_break: int, random: Random) -> None:
    """Write the order in which successors are created: as they come, or shuffled."""
    for k in range(len(order)):
        order[k] = k
    if tie_break == RANDOM:
        shuffle(random, order)


@kernel
def tie_of(tie_break: int, created: int, random: Random) -> int:
    """The lower half of a key: who goes first among equal priorities."""
    if tie_break == FIFO:
        return created
    if tie_break == LIFO:
        return (1 << 31) - created
    return int64(next64(random) >> np.uint64(33))


@kernel
def record(space: Space, rows: Integers, count: int, op: int, state: int, g: int, h: int) -> int:
    """Append one step -> how many there are."""
    width = rows.shape[1]
    rows[count, 0] = op
    write_state(space, state, rows[count], 1)
    rows[count, width - 2] = g
    rows[count, width - 1] = h
    return count + 1


@kernel
def path_to(parent: Integers, state: int, path: Integers) -> int:
    """Write the states from the start to `state` into `path` -> how many."""
    length, at = 0, state
    while at >= 0:
        length += 1
        at = parent[at]
    at = state
    for i in range(length - 1, -1, -1):
        path[i] = at
        at = parent[at]
    return length


@kernel
def max_rows(space: Space) -> int:
    """No trace is longer, unless states are reopened: each closed once, created once per predecessor."""
    return capacity(space) * (max_degree(space) + 1) + 2
