"""How sliding-tile puzzles, searches and solutions are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.jit import njit
from tracelab.tasks.sliding_tiles.space import FIRST, HEADER, MOST_CELLS

DEEPEST = 200  # the largest cost that can be written; dfs and greedy may go deeper
SHAPE_ROW, BOARD_ROW, GOAL_ROW = range(3)  # rows of a prompt
MARKS = ("shape", "board", "goal", "reasoning", "create", "close", "solution", "end")


def codec_of(cells: int, boards: bool) -> Codec:
    """The vocabulary for boards of up to so many cells. boards: do creations name the board?"""
    tiles = ("_", *(str(n) for n in range(1, cells)))
    costs = tuple(f"c{n}" for n in range(DEEPEST + 1))
    sides = tuple(f"x{n}" for n in range(MOST_CELLS // 2 + 1))
    board = " ".join(["{b0}", *(f"{{b{k}?}}" for k in range(1, cells))])
    shown = board.replace("b", "p")  # in another column
    fields = {f"b{k}": Field(FIRST + k, tiles) for k in range(cells)}
    fields |= {f"p{k}": Field(1 + k, tiles) for k in range(cells)}
    fields |= {"tile": Field(1, tiles), "rows": Field(1, sides), "columns": Field(2, sides)}
    fields |= {"g": Field(FIRST + cells, costs), "h": Field(FIRST + cells + 1, costs)}
    create = f"create {{tile}} {board if boards else ''} {{g}} {{h}}"
    written = Format(
        fields=fields,
        prompt={"shape": "shape {rows} {columns}", "board": f"board {shown}", "goal": f"goal {shown}"},
        trace={"create": create, "close": f"close {board} {{g}} {{h}}"},
        solution={"slide": "{tile}"},
    )
    words = (*MARKS, *tiles, *sides, *costs)
    return Codec(words, written, prompt_width=1 + cells, trace_width=FIRST + cells + 2, solution_width=2)


@njit
def prompt_rows(
    problems: Integers, offsets: Integers, cells: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Problems -> rows (op, rows, columns), (op, start's cells...), (op, goal's cells...)."""
    n = len(offsets) - 1
    rows, ends = np.full((3 * n, cells + 1), -1, np.int32), 3 * np.arange(n + 1)
    for i in range(n):
        p, out = problems[offsets[i] : offsets[i + 1]], rows[3 * i : 3 * i + 3]
        count = p[0] * p[1]
        out[:, 0] = np.arange(3)
        out[SHAPE_ROW, 1], out[SHAPE_ROW, 2] = p[0], p[1]
        out[BOARD_ROW, 1 : 1 + count] = p[HEADER : HEADER + count]
        out[GOAL_ROW, 1 : 1 + count] = p[HEADER + count :]
    return rows, ends
