"""A formula drawn: its clauses as text, with what a search makes of them."""

from __future__ import annotations

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.search.backtracking.search import CONFLICT
from tracelab.tasks.sat.formula import HEADER
from tracelab.tasks.sat.text import word
from tracelab.tasks.shared.trails import assigned

ACROSS = 96  # characters
LEGEND = "3+ true   3- false   3 unassigned   ! clause without a true literal   ? variable decided on"


def clauses_of(problem: Integers) -> Integers:
    """(clauses, size): literals."""
    return np.asarray(problem[HEADER:]).reshape(int(problem[1]), int(problem[2]))


def draw_formula(problem: Integers, trace: Integers, solution: Integers, step: int | None = None) -> str:
    """The clauses under the trace's assignment after `step`; under the solution's if none is given."""
    spans = {} if step is None else assigned(trace[:step], 2)
    values = {variable: span.value for variable, span in spans.items()}
    if step is None:
        values = {int(row[1]) // 2: int(row[1]) % 2 for row in solution if row[0] == 0}
    cells = [f"c{c + 1}: {_clause(clause, values)}" for c, clause in enumerate(clauses_of(problem))]
    width = max(map(len, cells)) + 3
    columns = max(1, ACROSS // width)
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    lines = ["".join(cell.ljust(width) for cell in row).rstrip() for row in rows]
    return "\n".join([*lines, _state(trace, solution, step)])


def _clause(clause: Integers, values: dict[int, int]) -> str:
    marks = {True: "+", False: "-", None: ""}
    literals = [divmod(int(x), 2) for x in clause]
    truths = [values[v] == sign if v in values else None for v, sign in literals]
    text = " ".join(word(int(x)) + marks[t] for x, t in zip(clause, truths, strict=True))
    return text + (" !" if all(t is False for t in truths) else "")


def _state(trace: Integers, solution: Integers, step: int | None) -> str:
    if step is None:
        words = " ".join(word(int(row[1])) if row[0] == 0 else "unsatisfiable" for row in solution)
        return f"solution: {words}"
    spans = assigned(trace[:step], 2).values()
    order = sorted(spans, key=lambda span: span.begin)
    words = " ".join(word(2 * s.variable + s.value) + ("?" if s.op == 0 else "") for s in order)
    failed = 0 < step <= len(trace) and trace[step - 1][0] == CONFLICT
    return f"assigned: {words}{'   conflict' if failed else ''}"
