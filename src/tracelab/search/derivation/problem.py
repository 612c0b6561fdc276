"""What a derivation asks of a problem. Tasks answer it for a NamedTuple of their own.

    @implements(fault, Program)
    def program_fault(system, row): ...

Its tables are filled anew for each problem by `load`. The functions below are stubs (see `search.questions`).
"""

from __future__ import annotations

from typing import Any

from tracelab.search.questions import implements, stub

__all__ = ["implements"]


@stub
def load(system: Any, problem: Any) -> Any:
    """Fill the tables from a problem's stored integers; nothing is derived yet."""
    raise NotImplementedError


@stub
def fault(system: Any, row: Any) -> Any:
    """Why the problem and what is derived do not license a step, or ok. Any integers may stand there."""
    raise NotImplementedError


@stub
def flaw(system: Any, row: Any) -> Any:
    """What strictness has against a licensed step (repeated, not_needed), or ok."""
    raise NotImplementedError


@stub
def learn(system: Any, row: Any) -> Any:
    """Take a licensed step's conclusion as derived."""
    raise NotImplementedError


@stub
def answered(system: Any) -> Any:
    """Is the question answered by what is derived?"""
    raise NotImplementedError


@stub
def follows(system: Any, solution: Any, count: Any) -> Any:
    """Is the solution, rows[:count], what was derived?"""
    raise NotImplementedError


@stub
def solution_fault(system: Any, solution: Any, count: Any) -> Any:
    """-> (why the solution, rows[:count], does not solve the loaded problem, or ok; is it optimal?)"""
    raise NotImplementedError


@stub
def draw(system: Any, random: Any, problem: Any) -> Any:
    """Draw a problem's integers -> how many, or 0: this draw gave none."""
    raise NotImplementedError


@stub
def solve(system: Any, random: Any, rows: Any) -> Any:
    """Derive the answer, and record -> how many rows."""
    raise NotImplementedError


@stub
def write_solution(system: Any, rows: Any) -> Any:
    """Write the solution of a problem that was just solved -> how many rows."""
    raise NotImplementedError


@stub
def identity(system: Any) -> Any:
    """The canonical hash of the loaded problem: equal for equivalent problems."""
    raise NotImplementedError


@stub
def measure(system: Any, rows: Any, out: Any) -> Any:
    """Write the complexity measures of the loaded problem, solved by `rows`."""
    raise NotImplementedError
