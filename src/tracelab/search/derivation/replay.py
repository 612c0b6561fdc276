"""Derivations as traces: a step applies a rule to premises and concludes something.

A trace is a sequence of steps, each licensed by a statement of the problem and by what was derived before it.
`replay` checks:

    local    each step is licensed: its statement is given, its premises are given or derived before, and
             the conclusion is what the rule gives
    strict   and nothing is derived twice, nothing is done that the task's search would not do (what the
             question does not depend on), the last step answers the question, none follows it, and the
             solution is what was derived. Any order in which premises come first is accepted
"""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel
from tracelab.search.derivation.problem import System, answered, fault, flaw, follows, learn
from tracelab.search.derivation.reasons import R


@kernel
def replay(
    system: System,
    rows: Integers,
    count: int,
    solution: Integers,
    written: int,
    reason: Integers,
    at: Integers,
) -> None:
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
