"""A yard from a prompt that was read from a file; boxes, docks and walls may stand in any order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.shared.reading import stored
from tracelab.tasks.sokoban.draws import canonical_hash
from tracelab.tasks.sokoban.text import BOX_ROW, DOCK_ROW, READY_ROW, WALL_ROW, WORKER_ROW
from tracelab.tasks.sokoban.yard import MOST_CELLS


class Yards(NamedTuple):
    """What a task's yards are. fewest, boxes: of boxes; outer: are the walls around the yard written?"""

    rows: int
    columns: int
    stride: int
    fewest: int
    boxes: int
    outer: bool


def problem_of(codec: Codec, prompt: Integers, yards: Yards) -> Integers:
    """The stored yard that a prompt's tokens write. ValueError if they write none of this size."""
    rows, columns = yards.rows, yards.columns
    read = codec.read_prompt(prompt)
    read = read[read[:, 0] != READY_ROW]  # a word that names no cell
    y, x = read[:, 1] // yards.stride, read[:, 1] % yards.stride
    outside = np.flatnonzero((y >= rows) | (x >= columns))
    if len(outside):
        raise ValueError(f"cell ({x[outside[0]]}, {y[outside[0]]}) is outside a yard of {rows} x {columns}")
    cells = y * columns + x
    workers, boxes, docks, walls = (
        np.sort(cells[read[:, 0] == op]) for op in (WORKER_ROW, BOX_ROW, DOCK_ROW, WALL_ROW)
    )
    if len(workers) != 1 or len(boxes) != len(docks) or not yards.fewest <= len(boxes) <= yards.boxes:
        raise ValueError(
            f"the prompt has {len(workers)} workers, {len(boxes)} boxes and {len(docks)} docks: due are one "
            f"worker, and as many docks as boxes, {yards.fewest} to {yards.boxes}"
        )
    free = np.zeros((rows, columns), np.int16)
    free[1:-1, 1:-1] = 1
    if yards.outer and not np.isin(np.flatnonzero(free == 0), walls).all():
        raise ValueError(
            f"the walls around a yard of {rows} x {columns} are not all named: is task.size its own?"
        )
    free.ravel()[walls] = 0
    for kind, places in (("worker", workers), ("box", boxes), ("dock", docks)):
        if not free.ravel()[places].all() or len(np.unique(places)) < len(places):
            raise ValueError(f"a {kind} stands on a wall, or where another one does")
    if workers[0] in boxes or (boxes == docks).all():
        raise ValueError("the worker stands on a box, or there is nothing to do")
    return stored(np.concatenate([[rows, columns, len(boxes)], workers, boxes, docks, free.ravel()]))


def identity_of(problem: Integers) -> np.uint64:
    """The canonical hash of a stored yard."""
    hashed: np.uint64 = canonical_hash(problem, np.empty(MOST_CELLS, np.int64))
    return hashed


def identities_of(problems: Ragged) -> NDArray[np.uint64]:
    """(n,) canonical hashes of stored yards."""
    return np.array([identity_of(problem) for problem in problems], np.uint64)
