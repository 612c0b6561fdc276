"""Derivations as traces: a step applies a rule to premises and concludes something.

A trace is a sequence of steps, each licensed by a statement of the problem and by what was derived before it.
`replay` checks:

    local    each step is licensed: its statement is given, its premises are given or derived before, and
             the conclusion is what the rule gives
    strict   and nothing is derived twice, nothing is done that the task's search would not do (what the
             question does not depend on), the last step answers the question, none follows it, and the
             solution is what was derived. Any order in which premises come first is accepted

Tasks answer for a NamedTuple of their own, whose tables `load` fills anew for each problem:

    @implements(fault, Program)
    def program_fault(system, row): ...
"""

from __future__ import annotations

from typing import Any

from tracelab.core.jit import kernel
from tracelab.search.derivation_reasons import R
from tracelab.search.space import implements, stub

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


@kernel
def replay(system, rows, count, solution, written, reason, at):  # type: ignore[no-untyped-def]
    """Replay rows[:count] on the loaded problem; solution[:written]: the solution's rows.

    Writes reason[0:2] and at[0:2] for the levels local and strict (ok and -1 where they pass).
    """
    reason[0] = reason[1] = R.ok
    at[0] = at[1] = -1
    for i in range(count):
        wrong = fault(system, rows[i])
        odd = wrong
        if odd == R.ok:
            odd = R.after_answer if answered(system) else flaw(system, rows[i])
        if odd != R.ok and reason[1] == R.ok:
            reason[1], at[1] = odd, i
        if wrong != R.ok:
            reason[0], at[0] = wrong, i
            return
        learn(system, rows[i])
    if reason[1] == R.ok:
        odd = R.ok if answered(system) else R.unanswered
        if odd == R.ok and not follows(system, solution, written):
            odd = R.solution_differs
        if odd != R.ok:
            reason[1], at[1] = odd, count
