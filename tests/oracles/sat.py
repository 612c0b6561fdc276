"""Formulas judged by truth tables, clauses as sets of (variable, value)."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

from tests.oracles import _backtracking as grammar

Literal = tuple[int, bool]


class Formula:
    def __init__(self, numbers: tuple[int, ...], rule: str) -> None:
        """Stored numbers: variables, clauses, size, satisfiable?, literals 2v (true) and 2v + 1 (false)."""
        n, m, size, _, *rest = numbers
        self.variables, self.given, self.rule = list(range(1, n + 1)), {}, rule
        literals = [(x // 2 + 1, x % 2 == 0) for x in rest]
        self.clauses = {f"c{c + 1}": literals[c * size : (c + 1) * size] for c in range(m)}
        assert len(literals) == m * size

    def read_literal(self, word: str) -> Literal | None:
        digits = word.removeprefix("-")
        return (int(digits), digits == word) if digits.isdecimal() else None

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        op, rest = words[at], words[at + 1 : at + 3]
        literal = self.read_literal(rest[0]) if rest else None
        if op in ("decide", "backtrack") and literal:
            return (op, *literal, None), at + 2
        if op == "propagate" and literal and len(rest) == 2 and rest[1][0] == "c" and rest[1][1:].isdecimal():
            return (op, *literal, rest[1]), at + 3
        if op == "conflict" and rest and rest[0][0] == "c" and rest[0][1:].isdecimal():
            return (op, None, None, rest[0]), at + 2
        return None

    def read_solution(self, words: list[str]) -> dict[int, bool] | str | None:
        if words == ["unsat"]:
            return grammar.NO_SOLUTION
        literals = [self.read_literal(word) for word in words]
        if None in literals or sorted(v for v, _ in literals) != self.variables:
            return None
        return dict(literals)

    def domain(self, assigned: dict[int, bool], variable: int) -> set[bool]:
        return {True, False}

    def waiting(self, assigned: dict[int, bool]) -> dict[str, list[Literal]]:
        """Clauses without a true literal, each with its unassigned literals."""
        return {
            name: [(v, value) for v, value in clause if v not in assigned]
            for name, clause in self.clauses.items()
            if not any(assigned.get(v) == value for v, value in clause)
        }

    def consequences(self, assigned: dict[int, bool]) -> set[tuple[int, bool, str]]:
        return {(*left[0], name) for name, left in self.waiting(assigned).items() if len(left) == 1}

    def conflicts(self, assigned: dict[int, bool]) -> set[tuple[Any, str]]:
        return {(None, name) for name, left in self.waiting(assigned).items() if not left}

    def eligible(self, assigned: dict[int, bool]) -> set[int]:
        free = [v for v in self.variables if v not in assigned]
        if self.rule == "first":
            return {min(free)}
        if self.rule == "any":
            return set(free)
        clauses = self.waiting(assigned).values()
        count = {v: sum(v in dict(left) for left in clauses) for v in free}
        return {v for v in free if count[v] == max(count.values())}

    def is_solution(self, assigned: dict[int, bool]) -> bool:
        return all(any(assigned[v] == value for v, value in clause) for clause in self.clauses.values())

    def has_solution(self) -> bool:
        rows = product([True, False], repeat=len(self.variables))
        return any(self.is_solution(dict(zip(self.variables, row, strict=True))) for row in rows)


@lru_cache(maxsize=4096)
def _formula(numbers: tuple[int, ...], rule: str) -> Formula:
    return Formula(numbers, rule)


def judge(task: Any, problem: Any, words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}); no solution is better than another."""
    return grammar.judge(_formula(tuple(int(x) for x in problem), task.rule), words)
