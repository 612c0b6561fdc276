"""Mazes the obvious way, in plain Python: the yardstick for the compiled generator and verifier."""

from __future__ import annotations

import random

MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


def wilson(side: int, draw: random.Random) -> set[tuple[int, int]]:
    """Free cells of a uniform spanning-tree maze on the lattice of even or odd cells."""
    parity = draw.randrange(2)
    rooms = [(x, y) for y in range(parity, side, 2) for x in range(parity, side, 2)]
    known = set(rooms)
    tree = {draw.choice(rooms)}
    free = set(tree)
    for first in rooms:
        at, leave = first, {}
        while at not in tree:
            dx, dy = draw.choice(MOVES)
            after = (at[0] + 2 * dx, at[1] + 2 * dy)
            if after in known:
                leave[at], at = (dx, dy), after
        at = first
        while at not in tree:
            dx, dy = leave[at]
            tree.add(at)
            free |= {at, (at[0] + dx, at[1] + dy)}
            at = (at[0] + 2 * dx, at[1] + 2 * dy)
    return free


def astar(free: set[tuple[int, int]], start: tuple[int, int], goal: tuple[int, int]) -> tuple[list, list]:
    """(steps, path) of an A* that keeps its open list in order of creation."""

    def h(cell):
        return abs(cell[0] - goal[0]) + abs(cell[1] - goal[1])

    opened, closed, parent, steps = {start: 0}, set(), {}, []
    while True:
        at = min(opened, key=lambda cell: opened[cell] + h(cell))
        g = opened.pop(at)
        closed.add(at)
        steps.append(("close", *at, g, h(at)))
        if at == goal:
            break
        for dx, dy in MOVES:
            after = (at[0] + dx, at[1] + dy)
            if after in free and after not in closed and g + 1 < opened.get(after, 1 << 30):
                opened[after], parent[after] = g + 1, at
                steps.append(("create", *after, g + 1, h(after)))
    path = [goal]
    while path[-1] != start:
        path.append(parent[path[-1]])
    return steps, path[::-1]


def text(side: int, free: set, start: tuple, goal: tuple, steps: list, path: list) -> str:
    """The published text."""
    walls = [f"wall {x} {y}" for y in range(side) for x in range(side) if (x, y) not in free]
    trace = [f"{op} {x} {y} c{g} c{h}" for op, x, y, g, h in steps]
    plan = [f"plan {x} {y}" for x, y in path]
    head = f"query start {start[0]} {start[1]} goal {goal[0]} {goal[1]}"
    return " ".join([head, *walls, "reasoning", *trace, "solution", *plan, "end"])


def replay(free: set, start: tuple, goal: tuple, steps: list, path: list) -> bool:
    """Strict validity: right costs, all successors, least f, the goal last, the parents' path."""
    opened, closed, parent, due = {start: 0}, set(), {}, set()
    at, closed_g = None, 0

    def h(cell):
        return abs(cell[0] - goal[0]) + abs(cell[1] - goal[1])

    for op, x, y, g, hh in steps:
        cell = (x, y)
        if at == goal or cell not in free or hh != h(cell):
            return False
        if op == "create":
            if cell not in due or g != closed_g + 1:
                return False
            due.discard(cell)
            opened[cell], parent[cell] = g, at
        else:
            if due or opened.get(cell) != g or g + hh > min(opened[c] + h(c) for c in opened):
                return False
            del opened[cell]
            closed.add(cell)
            at, closed_g = cell, g
            beside = [(x + dx, y + dy) for dx, dy in MOVES]
            due = {c for c in beside if c in free and c not in closed and g + 1 < opened.get(c, 1 << 30)}
    back = [goal]
    while back[-1] in parent:
        back.append(parent[back[-1]])
    return at == goal and back[::-1] == path
