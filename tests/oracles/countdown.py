"""Countdown judged in plain Python: multisets as sorted tuples, every rule as its sentence says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

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


def judge(task, numbers: Sequence[int], words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """-> (solution valid, solution optimal, {level: ok})."""
    rules, start = read_problem(task, numbers)
    nothing = dict.fromkeys(("parses", "local", "strict"), False)
    if "end" not in words:
        return False, False, nothing
    body = words[: words.index("end")]
    hands = solution_hands(rules, start, body[body.index("solution") + 1 :] if "solution" in body else [])
    valid = bool(hands) and rules.done(hands[-1])
    optimal = valid and len(hands) - 1 == fewest_operations(rules, start)
    steps = read_trace(rules, body, len(start))
    if steps is None:
        return valid, optimal, nothing
    local, strict = replay(rules, task.solver, start, steps, hands)
    return valid, optimal, {"parses": True, "local": local, "strict": strict}


def solution_hands(rules: Rules, start: Hand, words: list[str]) -> list[Hand]:
    """What is at hand before and after each equation; empty if one is wrong or there is none."""
    hands = [start]
    if not words or len(words) % 5:
        return []
    for k in range(0, len(words), 5):
        a, sign, b, equals, c = words[k : k + 5]
        if equals != "=" or not (a.isdecimal() and b.isdecimal() and c.isdecimal()):
            return []
        moves = {move[:4]: move[4] for move in rules.moves(hands[-1])}
        if (int(a), sign, int(b), int(c)) not in moves:
            return []
        hands.append(moves[int(a), sign, int(b), int(c)])
    return hands


# A step: (op, (a, sign, b) or None, numbers at hand, g, h); h is None where it is not written.
Step = tuple[str, tuple[int, str, int] | None, Hand, int, int | None]


def read_trace(rules: Rules, body: list[str], most: int) -> list[Step] | None:
    """The steps before the solution; None if the words are none."""
    if body[:1] != ["reasoning"]:
        return None
    read = read_compact if rules.written == "compact" else read_phrases
    steps, at = [], 1
    while at < len(body) and body[at] != "solution":
        found = read(rules, body, at, most)
        if found is None:
            return None
        step, at = found
        steps.append(step)
    return steps or None


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


def read_compact(rules: Rules, words: list[str], at: int, most: int) -> tuple[Step, int] | None:
    op, move, at = words[at], None, at + 1
    if op == "create":
        found = read_operation(words, at)
        if found is None:
            return None
        move, at = found
    elif op != "close":
        return None
    hand, at = read_numbers(words, at, most - (op == "create"))
    costs = words[at : at + 2]
    if not hand or len(costs) < 2 or not all(c[0] == "c" and c[1:].isdecimal() for c in costs):
        return None
    return (op, move, hand, int(costs[0][1:]), int(costs[1][1:])), at + 2


def read_phrases(rules: Rules, words: list[str], at: int, most: int) -> tuple[Step, int] | None:
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
    return (op, move, hand, int(words[at + 1]), None), at + 2


def replay(rules: Rules, solver: str, start: Hand, steps: list[Step], path: list[Hand]) -> tuple[bool, bool]:
    """-> (is each step legal after those before it, is the whole the solver's search for this path?)"""

    def h_of(hand: Hand) -> int | None:
        return rules.h(hand) if rules.written == "compact" else None

    opened, closed, last, strict = {start: (0, h_of(start))}, {}, None, True
    ranks, parents, depth, owed = {start: 0}, {start: None}, {start: 0}, set()
    for op, move, hand, g, h in steps:
        numbers, done = tuple(sorted(hand)), last is not None and rules.done(last)
        if op == "create":
            if last is None or (*move, hand[0], numbers) not in set(rules.moves(last)):
                return False, False
            if g != closed[last][0] + 1 or h != h_of(numbers) or numbers in closed or numbers in opened:
                return False, False
            opened[numbers], parents[numbers], depth[numbers] = (g, h), last, depth[last] + 1
            ranks[numbers] = {
                "astar": g + (h or 0),
                "dijkstra": g,
                "bfs": depth[numbers],
                "dfs": -len(closed),
                "greedy": h or 0,
            }[solver]
            owed.discard(numbers)
            strict = strict and not done
        else:
            if opened.get(numbers) != (g, h):
                return False, False
            least = ranks[numbers] == min(ranks[other] for other in opened)
            strict = strict and not done and not owed and least
            closed[numbers], last = opened.pop(numbers), numbers
            after = {move[4] for move in rules.moves(numbers)}
            owed = {other for other in after if other not in closed and other not in opened}
    if strict and last is not None and rules.done(last):
        true_path = [last]
        while parents[true_path[-1]] is not None:
            true_path.append(parents[true_path[-1]])
        return True, path == true_path[::-1]
    return True, False
