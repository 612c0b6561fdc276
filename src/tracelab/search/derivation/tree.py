"""The tree of steps on which a derivation's solution rests: which are wrong, and what stands on them.

Each step is taken at its word: it is wrong in itself if the problem and what the trace said before do not
license it, and it stands on a wrong one if it uses a statement that is wrong in itself or stands on one. What
is used is the latest statement of a premise before. The root is the last step that answers the question.
(What the solution does not rest on is taken at its word only where it is licensed.)

The question, what a score of reasoning steps in a tree shows that one of answers does not, is that of RPTS
(arXiv 2511.06899); its weights are not used here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, int64
from tracelab.core.jit import kernel, njit
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.completion import References, longest, references
from tracelab.search.derivation.problem import System, concludes, fault, learn, load, premises, rests_on
from tracelab.search.derivation.reasons import R

ASIDE, SOUND, WRONG, STANDING = range(4)  # places in `core.types.ROLES`
ROLE, DEPTH, HEIGHT = range(3)  # columns of what is said of a step


def tree(system: System, examples: Examples, traces: Ragged, solutions: Ragged) -> Ragged:
    """What `core.types.Task` calls tree."""
    return Ragged(_tree(system, references(examples, traces, solutions)), traces.offsets)


@njit
def _tree(system: System, given: References) -> NDArray[np.int64]:
    problems, offsets, rows, ends, solutions, solution_ends = given
    nodes = np.empty((len(rows), 3), np.int64)
    statements = np.empty(longest(ends) + 1, np.int64)
    out = np.empty(longest(offsets) + 1, np.int64)  # what a problem does not name is no premise
    for i in range(len(ends) - 1):
        load(system, problems[offsets[i] : offsets[i + 1]])
        solution = solutions[solution_ends[i] : solution_ends[i + 1]]
        trace, mine = rows[ends[i] : ends[i + 1]], nodes[ends[i] : ends[i + 1]]
        root = read(system, trace, solution, out, statements, mine)
        descend(system, trace, out, statements, root, mine)
    return nodes


@kernel
def read(
    system: System, trace: Integers, solution: Integers, out: Integers, statements: Integers, nodes: Integers
) -> int:
    """Write steps' roles and heights, and what each states -> the root, or -1. out: scratch."""
    root = -1
    for r in range(len(trace)):
        statements[r] = rests_on(system, solution, len(solution), trace[r])
        licensed = fault(system, trace[r]) == R.ok
        nodes[r, ROLE], nodes[r, DEPTH], nodes[r, HEIGHT] = SOUND if licensed else WRONG, -1, 0
        for k in range(premises(system, trace[r], out)):
            used = latest(statements[:r], out[k])
            if used >= 0:
                nodes[r, HEIGHT] = max(nodes[r, HEIGHT], nodes[used, HEIGHT] + 1)
                if licensed and nodes[used, ROLE] != SOUND:
                    nodes[r, ROLE] = STANDING
        if statements[r] >= 0 or licensed:
            learn(system, trace[r])
        if statements[r] >= 0 and concludes(system, trace[r]):
            root = r
    return root


@kernel
def descend(
    system: System, trace: Integers, out: Integers, statements: Integers, root: int, nodes: Integers
) -> None:
    """Write how far below the root steps are; those that are not below it stand aside. out: scratch."""
    if root >= 0:
        nodes[root, DEPTH] = 0
    for r in range(len(trace) - 1, -1, -1):
        if nodes[r, DEPTH] < 0:
            nodes[r, ROLE], nodes[r, HEIGHT] = ASIDE, -1
            continue
        for k in range(premises(system, trace[r], out)):
            used, below = latest(statements[:r], out[k]), nodes[r, DEPTH] + 1
            if used >= 0 and (nodes[used, DEPTH] < 0 or below < nodes[used, DEPTH]):
                nodes[used, DEPTH] = below


@kernel
def latest(statements: Integers, statement: int) -> int:
    """The last place of a statement, or -1."""
    for r in range(len(statements) - 1, -1, -1):
        if statements[r] == statement:
            return int64(r)
    return int64(-1)
