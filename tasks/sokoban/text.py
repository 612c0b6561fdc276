"""How yards, searches and solutions are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import BOS, EOS, Codec
from tracelab.core.formats import Field, Format
from tracelab.core.jit import njit
from tracelab.tasks.sokoban.unplaced import spell
from tracelab.tasks.sokoban.yard import FIRST, HEADER

DEAREST = 400  # the largest cost that can be written
WORKER_ROW, BOX_ROW, DOCK_ROW, WALL_ROW, READY_ROW = range(5)  # rows of a prompt


def codec_of(name: str, side: int, boxes: int) -> Codec:
    """The vocabulary and the tables of a format, for yards of sides and so many boxes up to these."""
    costs = tuple(f"c{n}" for n in range(DEAREST + 1))
    fields = {"g": Field(FIRST + boxes, costs), "h": Field(FIRST + boxes + 1, costs)}
    words: tuple[str, ...] = ("worker", "box", "dock", "wall", "reasoning", "create", "close", "solution")
    if name == "compact":
        cells = tuple(f"{n % side},{n // side}" for n in range(side * side))
        fields |= {"worker": Field(1, cells), **{f"b{k}": Field(FIRST + k, cells) for k in range(boxes)}}
        rest = " ".join(["{b0}", *(f"{{b{k}?}}" for k in range(1, boxes))])
        state, cell, numbers = f"{{worker}} {rest}", "{worker}", cells
    else:
        words = (*words, "plan")
        numbers = tuple(str(n) for n in range(side))
        for k, column in enumerate(("w", *(f"b{k}" for k in range(boxes)))):
            fields |= {f"{column}x": Field(1 + k, numbers), f"{column}y": Field(1 + k, numbers, div=side)}
        rest = " ".join(f"box {{b{k}x}} {{b{k}y}}" for k in range(boxes))
        if name == "published":  # without boxes on docks
            fields |= {f"b{k}": Field(FIRST + k, ("box",), div=side * side) for k in range(boxes)}
            rest = " ".join(f"{{b{k}?}} {{b{k}x}} {{b{k}y}}" for k in range(boxes))
        state, cell = f"worker {{wx}} {{wy}} {rest}", "{wx} {wy}"
    prompt = {kind: f"{kind} {cell}" for kind in ("worker", "box", "dock", "wall")}
    trace = {op: f"{op} {state} {{g}} {{h}}" for op in ("create", "close")}
    solution = {"plan": cell if name == "compact" else f"plan {cell}"}
    words, written = (*words, "end", *numbers, *costs), Format(fields, prompt, trace, solution)
    if name == "published":
        written = Format(fields, {**prompt, "ready": BOS}, trace, solution, "", "", EOS)
    return Codec(words, written, prompt_width=2, trace_width=FIRST + boxes + 2, solution_width=2)


@njit
def prompt_rows(
    problems: Integers, offsets: Integers, stride: int, outer: bool, published: bool
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Problems -> rows (op, cell): worker, boxes, docks, walls. outer: are those around the yard written?
    published: are cells in the order of their texts, and is the end marked?
    """
    rows = np.empty((len(problems) + len(offsets), 2), np.int32)
    ends = np.zeros(len(offsets), np.int64)
    n = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        height, width, count = p[0], p[1], p[2]
        for k in range(1 + 2 * count):
            op = WORKER_ROW if k == 0 else BOX_ROW if k <= count else DOCK_ROW
            cell = p[HEADER + k]
            rows[n, 0], rows[n, 1] = op, cell // width * stride + cell % width
            n += 1
        walls = n
        for c in range(height * width):
            y, x = c // width, c % width
            if p[HEADER + 1 + 2 * count + c] == 0 and (outer or (0 < y < height - 1 and 0 < x < width - 1)):
                rows[n, 0], rows[n, 1] = WALL_ROW, y * stride + x
                n += 1
        if published:
            docks = walls - count
            spell(rows[docks - count : docks, 1], count, stride)
            spell(rows[docks:walls, 1], count, stride)
            spell(rows[walls:n, 1], n - walls, stride)
            rows[n, 0], rows[n, 1] = READY_ROW, -1
            n += 1
        ends[i + 1] = n
    return rows[:n], ends
