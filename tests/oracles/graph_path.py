"""Graph problems judged in plain Python: lists, dictionaries, and every rule as its sentence says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Problem:
    """arcs[a]: the (b, cost) that a leads to; places: coordinates of nodes, if there are any."""

    start: int
    targets: set[int]
    arcs: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)


def read_problem(numbers: Sequence[int]) -> Problem:
    """Of nodes, edges, directed?, coordinates?, start, two targets; edges and nodes' places by three."""
    nodes, edges, directed, coordinates, start, *targets = (int(n) for n in numbers[:7])
    triples = [tuple(int(n) for n in numbers[k : k + 3]) for k in range(7, len(numbers), 3)]
    problem = Problem(start, {t for t in targets if t >= 0})
    for a, b, cost in triples[:edges]:
        problem.arcs.setdefault(a, []).append((b, cost))
        problem.arcs.setdefault(b, [])
        if not directed:
            problem.arcs[b].append((a, cost))
    problem.places = {a: (x, y) for a, x, y in triples[edges:]}
    assert len(problem.arcs) == nodes
    assert len(problem.places) == (nodes if coordinates else 0)
    return problem


def distance(problem: Problem, starts: int) -> dict[int, int]:
    """Least cost from a node to each that it reaches: relax every arc until nothing changes."""
    far = {starts: 0}
    while True:
        shorter = {
            b: far[a] + cost for a in far for b, cost in problem.arcs[a] if far[a] + cost < far.get(b, 10**9)
        }
        if not shorter:
            return far
        for b in shorter:
            far[b] = min(far.get(b, 10**9), shorter[b])


def h_of(problem: Problem, node: int) -> int | None:
    if not problem.places:
        return None
    (target,) = problem.targets
    return sum(abs(u - v) for u, v in zip(problem.places[node], problem.places[target], strict=True))


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """-> (solution valid, solution optimal, {level: ok})."""
    problem, nothing = read_problem(numbers), dict.fromkeys(("parses", "local", "strict"), False)
    if "end" not in words:
        return False, False, nothing
    body = words[: words.index("end")]
    cost = path_cost(problem, body[body.index("solution") + 1 :] if "solution" in body else [])
    far = distance(problem, problem.start)
    best = min(far[t] for t in problem.targets if t in far)
    steps, path, parsed = read(problem, body)
    if not parsed:
        return cost is not None, cost == best, nothing
    local, strict = replay(task.solver, problem, steps, path)
    return cost is not None, cost == best, {"parses": True, "local": local, "strict": strict}


def path_cost(problem: Problem, words: list[str]) -> int | None:
    """What the solution costs; None if it is none."""
    if not words or not all(word.isdecimal() for word in words):
        return None
    path, total = [int(word) for word in words], 0
    if path[0] != problem.start or path[-1] not in problem.targets:
        return None
    for a, b in pairwise(path):
        costs = [cost for other, cost in problem.arcs[a] if other == b]
        if not costs:
            return None
        total += costs[0]
    return total


def read(problem: Problem, body: list[str]) -> tuple[list[tuple], list[int], bool]:
    """-> (steps (op, node, g, h), the solution's nodes, does the trace parse to the solution's word?)"""
    steps, path = [], []
    if body[:1] != ["reasoning"]:
        return steps, path, False
    size, at = 4 if problem.places else 3, 1
    while at < len(body) and body[at] in ("create", "close") and len(body) >= at + size:
        op, node, *costs = body[at : at + size]
        if not node.isdecimal() or not all(c[:1] == "c" and c[1:].isdecimal() for c in costs):
            return steps, path, False
        g, *h = (int(c[1:]) for c in costs)
        steps.append((op, int(node), g, h[0] if h else None))
        at += size
    if not steps or body[at : at + 1] not in ([], ["solution"]):
        return steps, path, False
    rest = body[at + 1 :]
    return steps, [int(w) for w in rest] if all(w.isdecimal() for w in rest) else [], True


def replay(solver: str, problem: Problem, steps: list[tuple], path: list[int]) -> tuple[bool, bool]:
    """-> (is each step legal after those before it, is the whole the solver's search for this path?)"""
    h = h_of(problem, problem.start)
    opened, closed, last, strict = {problem.start: (0, h)}, {}, None, True
    ranks, parents, depth, owed = {problem.start: 0}, {problem.start: None}, {problem.start: 0}, set()
    for op, node, g, h in steps:
        done = last in problem.targets
        if op == "create":
            if last is None:
                return False, False
            costs = [cost for other, cost in problem.arcs[last] if other == node]
            if not costs or g != closed[last][0] + costs[0] or h != h_of(problem, node):
                return False, False
            if node in closed or (node in opened and not better(solver, g, opened[node][0])):
                return False, False
            opened[node], parents[node], depth[node] = (g, h), last, depth[last] + 1
            ranks[node] = rank(solver, g, h, depth[node], len(closed))
            owed.discard(node)
            strict = strict and not done
        else:
            if opened.get(node) != (g, h):
                return False, False
            strict = strict and not done and not owed and ranks[node] == min(ranks[n] for n in opened)
            closed[node], last = opened.pop(node), node
            owed = {
                b
                for b, cost in problem.arcs[node]
                if b not in closed and (b not in opened or better(solver, g + cost, opened[b][0]))
            }
    strict = strict and last in problem.targets
    if strict:
        true_path = [last]
        while parents[true_path[-1]] is not None:
            true_path.append(parents[true_path[-1]])
        strict = path == true_path[::-1]
    return True, strict


def better(solver: str, g: int, old: int) -> bool:
    """Is an open state created again at cost g? Only where the solver minds costs."""
    return solver in ("astar", "dijkstra") and g < old


def rank(solver: str, g: int, h: int | None, depth: int, expansions: int) -> int:
    ranks = {"astar": g + (h or 0), "dijkstra": g, "bfs": depth, "dfs": -expansions, "greedy": h or 0}
    return ranks[solver]
