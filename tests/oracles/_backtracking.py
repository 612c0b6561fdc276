"""The backtracking grammar in plain Python, from its definition: sets, dictionaries and copies.

A puzzle says what a variable may be, what follows and what fails; everything is worked out anew at each
step. Slow on purpose. Imports nothing of the compiled code.
"""

from __future__ import annotations

from typing import Any, Protocol

Assignment = dict[Any, Any]
Step = tuple[str, Any, Any, Any]  # (operation, variable, value, constraint), None where there is none
NO_SOLUTION = "there is none"


class Puzzle(Protocol):
    """What the oracle asks of a problem."""

    variables: list[Any]
    given: Assignment  # what is assigned before the search begins

    def read_step(self, words: list[str], at: int) -> tuple[Step, int] | None:
        """The step that begins at a place and the place after it."""

    def read_solution(self, words: list[str]) -> Assignment | str | None:
        """What a solution's words say; None where they are none."""

    def domain(self, assigned: Assignment, variable: Any) -> set[Any]: ...

    def consequences(self, assigned: Assignment) -> set[tuple[Any, Any, Any]]:
        """All (variable, value, constraint) that follow."""

    def conflicts(self, assigned: Assignment) -> set[tuple[Any, Any]]:
        """All (variable, constraint) at which there is a conflict."""

    def eligible(self, assigned: Assignment) -> set[Any]:
        """The variables that the decision rule may take."""

    def is_solution(self, assigned: Assignment) -> bool: ...

    def has_solution(self) -> bool: ...


def judge(puzzle: Puzzle, words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}) of a completion."""
    if "end" not in words:
        return False, False, dict.fromkeys(("parses", "local", "strict"), False)
    body = words[: words.index("end")]
    at, steps = 0, []
    if body[:1] == ["reasoning"]:
        at = 1
        while at < len(body) and (found := puzzle.read_step(body, at)):
            steps.append(found[0])
            at = found[1]
    parses = len(steps) > 0 and body[at : at + 1] in ([], ["solution"])
    claim = puzzle.read_solution(body[body.index("solution", at) + 1 :]) if "solution" in body[at:] else None
    if isinstance(claim, dict):
        valid = puzzle.is_solution(claim)
    else:
        valid = claim == NO_SOLUTION and not puzzle.has_solution()
    local, strict = replay(puzzle, steps, claim)
    return valid, valid, {"parses": parses, "local": parses and local, "strict": parses and strict}


def replay(puzzle: Puzzle, steps: list[Step], claim: Assignment | str | None) -> tuple[bool, bool]:
    """Is each step legal? Is it this search, from beginning to end, and the solution its result?"""
    now, strict, failed = dict(puzzle.given), True, False
    decisions: list[tuple[Assignment, Any, set[Any]]] = []  # (assigned before, variable, values left)
    for op, variable, value, constraint in steps:
        blamed = [decision for decision in decisions if decision[2]]
        if failed and op != "backtrack":
            strict = False
        if op == "conflict":
            if (variable, constraint) not in puzzle.conflicts(now):
                return False, False
            failed = True
        elif op == "backtrack":
            if not failed or not blamed or blamed[-1][1] != variable or value not in blamed[-1][2]:
                return False, False
            while decisions[-1] is not blamed[-1]:
                decisions.pop()
            now = {**blamed[-1][0], variable: value}
            blamed[-1][2].remove(value)
            failed = False
        elif variable not in puzzle.variables or variable in now:
            return False, False
        elif op == "propagate":
            if (variable, value, constraint) not in puzzle.consequences(now):
                return False, False
            now = {**now, variable: value}
        else:
            if value not in puzzle.domain(now, variable):
                return False, False
            if puzzle.conflicts(now) or puzzle.consequences(now) or variable not in puzzle.eligible(now):
                strict = False
            decisions.append((now, variable, puzzle.domain(now, variable) - {value}))
            now = {**now, variable: value}
    if failed:
        ended = not any(left for _, _, left in decisions) and claim == NO_SOLUTION
    else:
        ended = set(now) == set(puzzle.variables) and not puzzle.conflicts(now) and claim == now
    return True, strict and ended
