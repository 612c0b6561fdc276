"""The best-first grammar in plain Python, from its definition, for every task on unit or other costs.

A puzzle says what its words mean, what succeeds a state and what solves it. Imports nothing of the
compiled code.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import Any, Protocol

State = Hashable
Step = tuple[str, Any, int, int | None]  # (create or close, what is written of the state, g, h or None)


class Puzzle(Protocol):
    """What the oracle asks of a problem."""

    solver: str
    creates_start: bool  # does a trace begin with the creation of the start?
    start: State

    def read_step(self, words: list[str], at: int) -> tuple[Step, int] | None:
        """The step that begins at a place and the place after it."""

    def read_path(self, words: list[str]) -> list:
        """The states that a solution's words lead through; empty if one is wrong or there is none."""

    def named(self, written: Any) -> State | None:
        """The state that a step names in full; None if it is none."""

    # A puzzle may have `reopens`, is a closed state created again at less cost?, and `choices(written)`, the
    # states that a closing may name: that which is open at its costs is meant.

    def created(self, last: State, written: Any) -> State | None:
        """The state that a creation names after `last` was closed; None if that leads to none."""

    def successors(self, state: State) -> Mapping[State, int]:
        """And what they cost."""

    def h(self, state: State) -> int | None:
        """None where it is not written."""

    def solved(self, state: State) -> bool: ...

    def least(self) -> int | None:
        """The cost of the best solution."""


def judge(puzzle: Puzzle, words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    nothing = dict.fromkeys(("parses", "local", "strict"), False)
    if "end" not in words:
        return False, False, nothing
    body = words[: words.index("end")]
    path = puzzle.read_path(body[body.index("solution") + 1 :] if "solution" in body else [])
    valid = bool(path) and puzzle.solved(path[-1])
    optimal = valid and sum(puzzle.successors(a)[b] for a, b in pairwise(path)) == puzzle.least()
    steps = read_trace(puzzle, body)
    if not steps:
        return valid, optimal, nothing
    local, strict = replay(puzzle, steps, path)
    return valid, optimal, {"parses": True, "local": local, "strict": strict}


def read_trace(puzzle: Puzzle, body: list[str]) -> list[Step]:
    """The steps before the solution; none if the words are none."""
    steps, at = [], 1
    while body[:1] == ["reasoning"] and at < len(body) and body[at] != "solution":
        found = puzzle.read_step(body, at)
        if found is None:
            return []
        step, at = found
        steps.append(step)
    return steps


def read_costs(words: list[str]) -> tuple[int, ...] | None:
    """c3 c5 -> 3, 5."""
    right = all(word[:1] == "c" and word[1:].isdecimal() for word in words)
    return tuple(int(word[1:]) for word in words) if right else None


def replay(puzzle: Puzzle, steps: list[Step], path: list) -> tuple[bool, bool]:
    """-> (is each step legal after those before it, is the whole the solver's search for this path?)"""
    start, opened, closed, last = puzzle.start, {}, {}, None
    reopens = getattr(puzzle, "reopens", False)
    choices = getattr(puzzle, "choices", lambda written: [puzzle.named(written)])
    ranks, parents, depth, owed, strict = {start: 0}, {start: None}, {start: 0}, set(), True
    if not puzzle.creates_start:
        opened[start] = 0, puzzle.h(start)
    for op, written, g, h in steps:
        done = last is not None and puzzle.solved(last)
        if op == "create" and last is None:
            first = puzzle.creates_start and not opened and puzzle.named(written) == start
            if not first or (g, h) != (0, puzzle.h(start)):
                return False, False
            opened[start] = g, h
        elif op == "create":
            state, costs = puzzle.created(last, written), puzzle.successors(last)
            if state not in costs or g != closed[last][0] + costs[state] or h != puzzle.h(state):
                return False, False
            old = opened.get(state) or closed.get(state)
            if old and ((state in closed and not reopens) or not better(puzzle, g, old[0])):
                return False, False
            closed.pop(state, None)
            opened[state], parents[state], depth[state] = (g, h), last, depth[last] + 1
            ranks[state] = rank(puzzle, g, h, depth[state], len(closed))
            owed.discard(state)
            strict = strict and not done
        else:
            state = next((s for s in choices(written) if opened.get(s) == (g, h)), None)
            if state is None:
                return False, False
            least = ranks[state] == min(ranks[other] for other in opened)
            strict = strict and not done and not owed and least
            closed[state], last = opened.pop(state), state
            after = {
                other: g + cost
                for other, cost in puzzle.successors(state).items()
                if reopens or other not in closed
            }
            old = {**opened, **closed}
            owed = {s for s in after if s not in old or better(puzzle, after[s], old[s][0])}
    solved = strict and last is not None and puzzle.solved(last)
    return True, solved and path == path_to(last, parents)


def path_to(state: State, parents: Mapping[State, State | None]) -> list:
    path = [state]
    while parents[path[-1]] is not None:
        path.append(parents[path[-1]])
    return path[::-1]


def better(puzzle: Puzzle, g: int, old: int) -> bool:
    """Is an open state created again at cost g? Only where the solver minds costs."""
    return puzzle.solver in ("astar", "dijkstra") and g < old


def rank(puzzle: Puzzle, g: int, h: int | None, depth: int, expansions: int) -> int:
    ranks = {"astar": g + (h or 0), "dijkstra": g, "bfs": depth, "dfs": -expansions, "greedy": h or 0}
    return ranks[puzzle.solver]
