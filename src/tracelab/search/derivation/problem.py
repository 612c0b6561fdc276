"""What a derivation asks of a problem. Tasks answer it for a NamedTuple of their own.

    @implements(fault, Program)
    def program_fault(system, row): ...

Its tables are filled anew for each problem by `load`. The functions below are stubs (see `search.questions`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracelab.core.arrays import Integers, Random
from tracelab.search.questions import implements, stub

__all__ = ["implements"]

System = tuple[Any, ...]  # a task's own NamedTuple, for whose class it answers what is asked below


@stub
def load(system: System, problem: Integers) -> None:
    """Fill the tables from a problem's stored integers; nothing is derived yet."""
    raise NotImplementedError


@stub
def fault(system: System, row: Integers) -> int:
    """Why the problem and what is derived do not license a step, or ok. Any integers may stand there."""
    raise NotImplementedError


@stub
def flaw(system: System, row: Integers) -> int:
    """What strictness has against a licensed step (repeated, not_needed), or ok."""
    raise NotImplementedError


@stub
def learn(system: System, row: Integers) -> None:
    """Take a licensed step's conclusion as derived."""
    raise NotImplementedError


@stub
def answered(system: System) -> bool:
    """Is the question answered by what is derived?"""
    raise NotImplementedError


@stub
def follows(system: System, solution: Integers, count: int) -> bool:
    """Is the solution, rows[:count], what was derived?"""
    raise NotImplementedError


@stub
def solution_fault(system: System, solution: Integers, count: int) -> tuple[int, bool]:
    """-> (why the solution, rows[:count], does not solve the loaded problem, or ok; is it optimal?)"""
    raise NotImplementedError


@stub
def draw(system: System, random: Random, problem: Integers) -> int:
    """Draw a problem's integers -> how many, or 0: this draw gave none."""
    raise NotImplementedError


@stub
def solve(system: System, random: Random, rows: Integers) -> int:
    """Derive the answer, and record -> how many rows."""
    raise NotImplementedError


@stub
def aside(system: System, random: Random, row: Integers) -> bool:
    """Write a random one of the licensed steps to what is not known and the question does not need, or False:
    there is none.
    """
    raise NotImplementedError


@stub
def rests_on(system: System, solution: Integers, count: int, row: Integers) -> int:
    """The number of the statement that a step makes, if the solution, rows[:count], rests on it, or -1. Any
    integers may stand in the step.
    """
    raise NotImplementedError


@stub
def premises(system: System, row: Integers, out: Integers) -> int:
    """Write the statements that a step's conclusion rests on directly, by the numbers of `rests_on` -> how
    many.

    Those that the problem gives may be among them. Any integers may stand in the step; what is derived so far
    does not matter. out: has room for as many as a stored problem has integers, and one.
    """
    raise NotImplementedError


@stub
def concludes(system: System, row: Integers) -> bool:
    """Does a step, legal or not, say what the question asks?"""
    raise NotImplementedError


@stub
def write_solution(system: System, rows: Integers) -> int:
    """Write the solution of a problem that was just solved -> how many rows."""
    raise NotImplementedError


@stub
def identity(system: System) -> np.uint64:
    """The canonical hash of the loaded problem: equal for equivalent problems."""
    raise NotImplementedError


@stub
def measure(system: System, rows: Integers, out: Integers) -> None:
    """Write the complexity measures of the loaded problem, solved by `rows`."""
    raise NotImplementedError
