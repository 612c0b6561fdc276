"""What a best-first search knows at each step, read off its trace: labels for probes of a model's state.

Steps are taken at their word, valid or not: what is created is open until it is closed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers
from tracelab.core.types import UNKNOWN, Quantity
from tracelab.search.best_first.search import CLOSE, CLOSED, CREATE, OPEN

STATE = 1  # the column in which rows name a numbered state; g and h are a row's last


def numbered_states(trace: Integers, count: int) -> dict[str, Quantity]:
    """Quantities of a search among `count` states, of which each row names one in STATE.

    status: is each state unseen, open or closed? g, h: of each that was seen; next: which is closed next?
    """
    status = np.zeros((len(trace) + 1, count), np.int64)
    costs = np.full((2, len(trace) + 1, count), UNKNOWN, np.int64)
    for t, row in enumerate(trace):
        status[t + 1], costs[:, t + 1] = status[t], costs[:, t]
        if row[0] in (CREATE, CLOSE) and 0 <= row[STATE] < count:
            status[t + 1, row[STATE]] = OPEN if row[0] == CREATE else CLOSED
            costs[:, t + 1, row[STATE]] = row[-2:]
    return {
        "status": Quantity(status),
        "g": Quantity(costs[0], number=True),
        "h": Quantity(costs[1], number=True),
        "next": Quantity(_next_closed(trace)[:, STATE : STATE + 1]),
    }


def board_states(trace: Integers, first: int) -> dict[str, Quantity]:
    """Quantities of a search among states too many to number: operands stand from column `first` on.

    next: the operands of the state that is closed next; g, h: its costs.
    """
    closed = _next_closed(trace)
    costs = {name: Quantity(closed[:, k : k + 1 or None], number=True) for name, k in (("g", -2), ("h", -1))}
    return {"next": Quantity(closed[:, first:-2]), **costs}


def _next_closed(trace: Integers) -> NDArray[np.int64]:
    """(steps + 1, columns): the row that closes next, before the first step and after each."""
    rows = np.full((len(trace) + 1, trace.shape[1]), UNKNOWN, np.int64)
    for t in range(len(trace) - 1, -1, -1):
        rows[t] = trace[t] if trace[t, 0] == CLOSE else rows[t + 1]
    return rows
