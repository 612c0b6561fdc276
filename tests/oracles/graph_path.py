"""Graph problems judged in plain Python: lists, dictionaries, and every rule as its sentence says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.oracles import _best_first as grammar


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


class Written:
    """A problem as a task writes it. A step names its node."""

    creates_start = False

    def __init__(self, task, numbers: Sequence[int]) -> None:
        self.problem, self.solver = read_problem(numbers), task.solver
        self.start = self.problem.start

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        size = 2 if self.problem.places else 1
        op, (node, *costs) = words[at], words[at + 1 : at + 2 + size] or [""]
        read = grammar.read_costs(costs)
        if op not in ("create", "close") or not node.isdecimal() or read is None or len(read) < size:
            return None
        return (op, int(node), *(*read, None)[:2]), at + 2 + size

    def read_path(self, words: list[str]) -> list[int]:
        if not words or not all(word.isdecimal() for word in words):
            return []
        path = [int(word) for word in words]
        legal = all(b in self.successors(a) for a, b in pairwise(path))
        return path if path[0] == self.start and legal else []

    def named(self, written: int) -> int:
        return written

    def created(self, last: int, written: int) -> int:
        return written

    def successors(self, node: int) -> dict[int, int]:
        return dict(self.problem.arcs.get(node, []))

    def h(self, node: int) -> int | None:
        return h_of(self.problem, node)

    def solved(self, node: int) -> bool:
        return node in self.problem.targets

    def least(self) -> int:
        far = distance(self.problem, self.start)
        return min(far[t] for t in self.problem.targets if t in far)


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    return grammar.judge(Written(task, numbers), words)
