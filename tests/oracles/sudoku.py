"""Sudokus judged by their rules: sets of digits, cells as (row, column) from 1."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from tests.oracles import _backtracking as grammar

Cell = tuple[int, int]
BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}


class Sudoku:
    def __init__(self, numbers: tuple[int, ...], rule: str, hidden: bool) -> None:
        """Stored numbers: the size, then row by row the clues, 0 where blank."""
        self.size, *digits = numbers
        assert len(digits) == self.size**2
        self.rule, self.hidden = rule, hidden
        self.variables = [(y + 1, x + 1) for y in range(self.size) for x in range(self.size)]
        self.given = {cell: digit for cell, digit in zip(self.variables, digits, strict=True) if digit}
        rows, columns = BOXES[self.size]
        boxes: dict[Cell, set[Cell]] = {}
        for y, x in self.variables:
            boxes.setdefault(((y - 1) // rows, (x - 1) // columns), set()).add((y, x))
        lines = [{c for c in self.variables if c[k] == n + 1} for k in (0, 1) for n in range(self.size)]
        self.units = [*lines, *boxes.values()]
        assert all(len(unit) == self.size for unit in self.units)
        self.peers = {
            c: set().union(*(unit for unit in self.units if c in unit)) - {c} for c in self.variables
        }

    def read_cell(self, word: str) -> Cell | None:
        found = re.fullmatch(r"r(\d+)c(\d+)", word)
        return (int(found[1]), int(found[2])) if found else None

    def read_step(self, words: list[str], at: int) -> tuple[grammar.Step, int] | None:
        op, rest = words[at], words[at + 1 : at + 3]
        cell = self.read_cell(rest[0]) if rest else None
        if op == "conflict" and cell:
            return (op, None, None, cell), at + 2
        if op in ("decide", "propagate", "backtrack") and cell and len(rest) == 2 and rest[1].isdecimal():
            return (op, cell, int(rest[1]), None), at + 3
        return None

    def read_solution(self, words: list[str]) -> dict[Cell, int] | None:
        if len(words) != len(self.variables) or not all(word.isdecimal() for word in words):
            return None
        return dict(zip(self.variables, map(int, words), strict=True))

    def domain(self, assigned: dict[Cell, int], cell: Cell) -> set[int]:
        return set(range(1, self.size + 1)) - {
            assigned[peer] for peer in self.peers[cell] if peer in assigned
        }

    def consequences(self, assigned: dict[Cell, int]) -> set[tuple[Cell, int, None]]:
        left = {cell: self.domain(assigned, cell) for cell in self.variables if cell not in assigned}
        found = {(cell, min(digits), None) for cell, digits in left.items() if len(digits) == 1}
        for unit in self.units if self.hidden else []:
            for digit in range(1, self.size + 1):
                places = [cell for cell in unit if cell in left and digit in left[cell]]
                if len(places) == 1:
                    found.add((places[0], digit, None))
        return found

    def conflicts(self, assigned: dict[Cell, int]) -> set[tuple[Any, Cell]]:
        return {(None, c) for c in self.variables if c not in assigned and not self.domain(assigned, c)}

    def eligible(self, assigned: dict[Cell, int]) -> set[Cell]:
        left = {cell: len(self.domain(assigned, cell)) for cell in self.variables if cell not in assigned}
        if self.rule == "first":
            return {min(left)}
        return {cell for cell in left if self.rule == "any" or left[cell] == min(left.values())}

    def is_solution(self, assigned: dict[Cell, int]) -> bool:
        kept = all(assigned[cell] == digit for cell, digit in self.given.items())
        digits = set(range(1, self.size + 1))
        return kept and all({assigned[cell] for cell in unit} == digits for unit in self.units)

    def has_solution(self) -> bool:
        return True


@lru_cache(maxsize=4096)
def _sudoku(numbers: tuple[int, ...], rule: str, hidden: bool) -> Sudoku:
    return Sudoku(numbers, rule, hidden)


def judge(task: Any, problem: Any, words: list[str]) -> tuple[bool, bool, dict[str, bool]]:
    """(solution valid, solution optimal, {level: ok}); there is one solution."""
    return grammar.judge(_sudoku(tuple(int(x) for x in problem), task.rule, task.hidden_singles), words)
