"""Countdown judged in plain Python: multisets as sorted tuples, every rule as its sentence says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.oracles import _best_first as grammar

Hand = tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """largest: no result is larger; use_all: must nothing be left but the target?"""

    target: int
    use_all: bool
    signs: str
    largest: int
    heuristic: str
    written: str

    def done(self, hand: Hand) -> bool:
        return hand == (self.target,) if self.use_all else self.target in hand

    def result(self, a: int, sign: str, b: int) -> int | None:
        if sign not in self.signs:
            return None
        if sign == "/":
            value = a // b if b and a % b == 0 else None
        else:
            value = {"+": a + b, "-": a - b, "*": a * b}[sign]
        return value if value is not None and 1 <= value <= self.largest else None

    def moves(self, hand: Hand) -> Iterator[tuple[int, str, int, int, Hand]]:
        """(a, sign, b, result, what is then at hand) of every operation."""
        for i, a in enumerate(hand):
            for j, b in enumerate(hand):
                if i != j:
                    rest = [hand[k] for k in range(len(hand)) if k not in (i, j)]
                    for sign in self.signs:
                        value = self.result(a, sign, b)
                        if value is not None:
                            yield a, sign, b, value, tuple(sorted([*rest, value]))

    def h(self, hand: Hand) -> int:
        if self.heuristic == "sum":
            h = sum(abs(number - self.target) for number in hand) // len(hand)
        else:
            factors = [f for f in range(2, self.target + 1) if self.target % f == 0]
            h = sum(min(abs(number - f) for f in factors) for number in hand)
        return min(h, self.largest)


def read_problem(task, numbers: Sequence[int]) -> tuple[Rules, Hand]:
    """A stored problem: target, all to be used?, numbers."""
    target, use_all, *hand = (int(n) for n in numbers)
    rules = Rules(target, bool(use_all), task.operations, task.limit, task.heuristic, task.format)
    return rules, tuple(sorted(hand))


def fewest_operations(rules: Rules, hand: Hand) -> int | None:
    """By trying every sequence of operations; None if none reaches the target."""

    @cache
    def fewest(hand: Hand) -> float:
        if rules.done(hand):
            return 0
        return 1 + min((fewest(after) for *_, after in rules.moves(hand)), default=float("inf"))

    least = fewest(hand)
    return None if least == float("inf") else int(least)


class Written:
    """A problem as a task writes it. A step names ((a, sign, b) or None, numbers at hand)."""

    creates_start = False

    def __init__(self, task, numbers: Sequence[int]) -> None:
        self.rules, self.start = read_problem(task, numbers)
        self.solver = task.solver

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        read = read_compact if self.rules.written == "compact" else read_phrases
        return read(words, at, len(self.start))

    def read_path(self, words: list[str]) -> list[Hand]:
        hands = [self.start]
        if not words or len(words) % 5:
            return []
        for k in range(0, len(words), 5):
            a, sign, b, equals, c = words[k : k + 5]
            if equals != "=" or not (a.isdecimal() and b.isdecimal() and c.isdecimal()):
                return []
            moves = {move[:4]: move[4] for move in self.rules.moves(hands[-1])}
            if (int(a), sign, int(b), int(c)) not in moves:
                return []
            hands.append(moves[int(a), sign, int(b), int(c)])
        return hands

    def named(self, written: tuple[Any, Hand]) -> Hand:
        return tuple(sorted(written[1]))

    def created(self, last: Hand, written: tuple[Any, Hand]) -> Hand | None:
        (a, sign, b), hand = written
        after = self.named(written)
        return after if (a, sign, b, hand[0], after) in set(self.rules.moves(last)) else None

    def successors(self, hand: Hand) -> dict[Hand, int]:
        return {move[4]: 1 for move in self.rules.moves(hand)}

    def h(self, hand: Hand) -> int | None:
        return self.rules.h(hand) if self.rules.written == "compact" else None

    def solved(self, hand: Hand) -> bool:
        return self.rules.done(hand)

    def least(self) -> int | None:
        return fewest_operations(self.rules, self.start)


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    return grammar.judge(Written(task, numbers), words)


def read_numbers(words: list[str], at: int, most: int) -> tuple[Hand, int]:
    """Up to so many numbers, and the place behind them."""
    end = at
    while end < len(words) and end - at < most and words[end].isdecimal():
        end += 1
    return tuple(int(word) for word in words[at:end]), end


def read_operation(words: list[str], at: int) -> tuple[tuple[int, str, int], int] | None:
    """a sign b = and the place behind it."""
    if len(words) < at + 4:
        return None
    a, sign, b, equals = words[at : at + 4]
    if not (a.isdecimal() and sign in "+-*/" and b.isdecimal() and equals == "="):
        return None
    return (int(a), sign, int(b)), at + 4


def read_compact(words: list[str], at: int, most: int) -> tuple[grammar.Step, int] | None:
    op, move, at = words[at], None, at + 1
    if op == "create":
        found = read_operation(words, at)
        if found is None:
            return None
        move, at = found
    elif op != "close":
        return None
    hand, at = read_numbers(words, at, most - (op == "create"))
    costs = grammar.read_costs(words[at : at + 2])
    if not hand or costs is None or len(costs) < 2:
        return None
    return (op, (move, hand), *costs), at + 2


def read_phrases(words: list[str], at: int, most: int) -> tuple[grammar.Step, int] | None:
    """Exploring Operation: a sign b = c Remaining Numbers: ... Operations: g, or Current State: ..."""
    if words[at : at + 2] == ["Exploring", "Operation:"]:
        found = read_operation(words, at + 2)
        if found is None:
            return None
        move, at = found
        result, at = read_numbers(words, at, 1)
        if not result or words[at : at + 2] != ["Remaining", "Numbers:"]:
            return None
        rest, at = read_numbers(words, at + 2, most - 2)
        op, hand = "create", result + rest
    elif words[at : at + 2] == ["Current", "State:"]:
        hand, at = read_numbers(words, at + 2, most)
        op, move = "close", None
    else:
        return None
    if not hand or words[at : at + 1] != ["Operations:"] or not words[at + 1 : at + 2]:
        return None
    if not words[at + 1].isdecimal():
        return None
    return (op, (move, hand), int(words[at + 1]), None), at + 2
