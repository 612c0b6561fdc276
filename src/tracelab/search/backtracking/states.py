"""What a backtracking search has assigned at each step, read off its trace: labels for probes.

Steps are taken at their word, valid or not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.core.types import UNKNOWN, Quantity
from tracelab.search.backtracking.search import BACKTRACK, CONFLICT


def assigned_states(
    trace: Integers, variables: int, values: int, given: Mapping[int, int] | None = None
) -> dict[str, Quantity]:
    """Quantities of a search over so many variables. given: variable -> the value that the problem gives it.

    assigned: has each variable a value? value: which, where it has; next: the literal that is taken next.
    """
    value = np.full((len(trace) + 1, variables), UNKNOWN, np.int64)
    coming = np.full((len(trace) + 1, 1), UNKNOWN, np.int64)
    for variable, its in (given or {}).items():
        value[0, variable] = its
    trail: list[int] = []
    for t, row in enumerate(trace):
        value[t + 1] = value[t]
        if row[0] == CONFLICT or not 0 <= row[1] < variables * values:
            continue
        variable = int(row[1]) // values
        if row[0] == BACKTRACK and variable in trail:
            undone = trail[trail.index(variable) :]
            value[t + 1, undone] = UNKNOWN
            del trail[-len(undone) :]
        value[t + 1, variable] = row[1] % values
        trail.append(variable)
    for t in range(len(trace) - 1, -1, -1):
        coming[t] = coming[t + 1] if trace[t, 0] == CONFLICT else trace[t, 1]
    assigned = (value != UNKNOWN).astype(np.int64)
    return {"assigned": Quantity(assigned), "value": Quantity(value), "next": Quantity(coming)}
