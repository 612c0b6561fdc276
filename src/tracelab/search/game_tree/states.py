"""What the search of a game's tree knows at each step, read off its trace: labels for probes.

Steps are taken at their word, sound or not.
"""

from __future__ import annotations

import numpy as np

from tracelab.core.ragged import Integers
from tracelab.core.types import UNKNOWN, Quantity
from tracelab.search.game_tree.search import ENTER


def tree_states(trace: Integers, moves: int) -> dict[str, Quantity]:
    """Quantities of a search of a game with so many moves.

    depth: how many moves lead to the position that is looked at; on_line: is each move one of them?; value:
    what came back from each first move; next: the move that is entered next.
    """
    depth = np.zeros((len(trace) + 1, 1), np.int64)
    on_line = np.zeros((len(trace) + 1, moves), np.int64)
    value = np.full((len(trace) + 1, moves), UNKNOWN, np.int64)
    coming = np.full((len(trace) + 1, 1), UNKNOWN, np.int64)
    line: list[int] = []
    for t, row in enumerate(trace):
        value[t + 1] = value[t]
        if row[0] == ENTER:
            line.append(int(row[1]))
        elif line:
            move = line.pop()
            if not line and 0 <= move < moves:
                value[t + 1, move] = row[2]
        depth[t + 1] = len(line)
        on_line[t + 1, [move for move in line if 0 <= move < moves]] = 1
    for t in range(len(trace) - 1, -1, -1):
        coming[t] = trace[t, 1] if trace[t, 0] == ENTER else coming[t + 1]
    found = {"on_line": Quantity(on_line), "value": Quantity(value), "next": Quantity(coming)}
    return {"depth": Quantity(depth, number=True), **found}
