"""Knights and knaves by truth tables and three-valued logic with None for unknown; people by name."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

from tests.oracles import _backtracking as grammar

Kinds = dict[str, str]
NAMES, KINDS = "ABCDEFGH", ("knight", "knave")
CONNECTIVES = {64: "not", 65: "and", 66: "or", 67: "implies", 68: "iff"}


def read_statement(codes: list[int]) -> tuple[Any, list[int]]:
    """Prefix codes -> (nested tuples, the codes that are left)."""
    code, *rest = codes
    if code < 64:
        return ("is", NAMES[code // 2], KINDS[code % 2]), rest
    first, rest = read_statement(rest)
    if CONNECTIVES[code] == "not":
        return ("not", first), rest
    second, rest = read_statement(rest)
    return (CONNECTIVES[code], first, second), rest


def truth(statement: Any, kinds: Kinds) -> bool | None:
    """True or False where all ways to fill in what is unknown to each connective agree, else None."""
    op, *parts = statement
    if op == "is":
        return None if parts[0] not in kinds else kinds[parts[0]] == parts[1]
    known = [truth(part, kinds) for part in parts]
    ways = product(*([k] if k is not None else [True, False] for k in known))
    results = {combine(op, *way) for way in ways}
    return results.pop() if len(results) == 1 else None


def combine(op: str, a: bool, b: bool = False) -> bool:
    return {"not": not a, "and": a and b, "or": a or b, "implies": not a or b, "iff": a == b}[op]


class Island:
    def __init__(self, numbers: tuple[int, ...], rule: str) -> None:
        """Stored numbers: how many people, then what each says in prefix order."""
        people, *codes = numbers
        self.rule, self.given, self.variables = rule, {}, list(NAMES[:people])
        self.says = {}
        for name in self.variables:
            self.says[name], codes = read_statement(codes)
        assert not codes

    def fits(self, speaker: str, kinds: Kinds) -> bool | None:
        """Is the speaker a knight if and only if the statement is true?"""
        return truth(("iff", ("is", speaker, "knight"), self.says[speaker]), kinds)

    def read_literal(self, words: list[str]) -> tuple[str, str] | None:
        ok = len(words) == 2 and words[0] in KINDS and len(words[1]) == 1 and words[1] in NAMES
        return (words[1], words[0]) if ok else None

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        op, literal = words[at], self.read_literal(words[at + 1 : at + 3])
        if op in ("decide", "backtrack") and literal:
            return (op, *literal, None), at + 3
        last = words[at + 3] if op == "propagate" and len(words) > at + 3 else ""
        if literal and len(last) == 1 and last in NAMES:
            return (op, *literal, last), at + 4
        if op == "conflict" and len(words) > at + 1 and len(words[at + 1]) == 1 and words[at + 1] in NAMES:
            return (op, None, None, words[at + 1]), at + 2
        return None

    def read_solution(self, words: list[str]) -> Kinds | None:
        literals = [self.read_literal(words[k : k + 2]) for k in range(0, len(words), 2)]
        if None in literals or sorted(name for name, _ in literals) != self.variables:
            return None
        return dict(literals)

    def domain(self, kinds: Kinds, name: str) -> set[str]:
        return set(KINDS)

    def consequences(self, kinds: Kinds) -> set[tuple[str, str, str]]:
        return {
            (name, KINDS[1 - k], speaker)
            for speaker in self.variables
            if self.fits(speaker, kinds) is None
            for name in self.variables
            if name not in kinds
            for k in (0, 1)
            if self.fits(speaker, {**kinds, name: KINDS[k]}) is False
        }

    def conflicts(self, kinds: Kinds) -> set[tuple[Any, str]]:
        return {(None, speaker) for speaker in self.variables if self.fits(speaker, kinds) is False}

    def eligible(self, kinds: Kinds) -> set[str]:
        free = [name for name in self.variables if name not in kinds]
        if self.rule == "first":
            return {min(free)}
        if self.rule == "any":
            return set(free)
        undecided = [speaker for speaker in self.variables if self.fits(speaker, kinds) is None]
        count = {name: sum(name in self.about(speaker) for speaker in undecided) for name in free}
        return {name for name in free if count[name] == max(count.values())}

    def about(self, speaker: str) -> set[str]:
        """Whom a statement is by or about."""

        def named(statement: Any) -> set[str]:
            op, *parts = statement
            return {parts[0]} if op == "is" else set().union(*map(named, parts))

        return {speaker} | named(self.says[speaker])

    def is_solution(self, kinds: Kinds) -> bool:
        return all(self.fits(speaker, kinds) for speaker in self.variables)

    def solutions(self) -> list[Kinds]:
        """Of the truth table's rows those that fit."""
        rows = product(KINDS, repeat=len(self.variables))
        every = [dict(zip(self.variables, row, strict=True)) for row in rows]
        return [kinds for kinds in every if self.is_solution(kinds)]

    def has_solution(self) -> bool:
        return bool(self.solutions())


@lru_cache(maxsize=4096)
def _island(numbers: tuple[int, ...], rule: str) -> Island:
    return Island(numbers, rule)


def judge(task: Any, problem: Any, words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}); there is one solution."""
    return grammar.judge(_island(tuple(int(x) for x in problem), task.rule), words)
