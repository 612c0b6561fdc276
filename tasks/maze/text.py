"""How mazes, searches and solutions are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import BOS, EOS, Codec
from tracelab.core.formats import Field, Format
from tracelab.core.jit import njit
from tracelab.tasks.maze.grid import HEADER

FORMATS = ("paper", "searchformer", "compact")
START, GOAL, WALL, READY = range(4)  # rows of a prompt


def codec_of(name: str, side: int) -> Codec:
    """The vocabulary and the tables of a format, for grids of sides up to `side`."""
    words, written = _format(name, side)
    return Codec(words, written, prompt_width=2, trace_width=4, solution_width=2)


def _format(name: str, side: int) -> tuple[tuple[str, ...], Format]:
    """-> (the vocabulary's words, how rows are written)."""
    numbers, costs = [str(n) for n in range(side)], [f"c{n}" for n in range(side * side)]
    xy = {"x": Field(1, tuple(numbers)), "y": Field(1, tuple(numbers), div=side)}
    cost = {"g": Field(2, tuple(costs)), "h": Field(3, tuple(costs))}
    marks = ["query", "start", "goal", "wall", "reasoning", "create", "close", "solution", "plan", "end"]
    if name == "compact":
        cells = [f"{n % side},{n // side}" for n in range(side * side)]
        at = {"cell": Field(1, tuple(cells))}
        return (*marks, *cells, *costs), Format(
            fields={**at, **cost},
            prompt={"start": "start {cell}", "goal": "goal {cell}", "wall": "{cell}"},
            trace={"create": "create {cell} {g} {h}", "close": "close {cell} {g} {h}"},
            solution={"plan": "{cell}"},
        )
    trace = {"create": "create {x} {y} {g} {h}", "close": "close {x} {y} {g} {h}"}
    if name == "paper":
        return (*marks, *numbers, *costs), Format(
            fields={**xy, **cost},
            prompt={"start": "query start {x} {y}", "goal": "goal {x} {y}", "wall": "wall {x} {y}"},
            trace=trace,
            solution={"plan": "plan {x} {y}"},
        )
    return (*marks, *numbers, *costs), Format(
        fields={**xy, **cost},
        prompt={"start": "start {x} {y}", "goal": "goal {x} {y}", "wall": "wall {x} {y}", "ready": BOS},
        trace=trace,
        solution={"plan": "plan {x} {y}"},
        trace_open="",
        solution_open="",
        stop=EOS,
    )


@njit
def prompt_rows(
    problems: Integers, offsets: Integers, stride: int, ready: bool
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Problems -> rows (op, cell): start, goal, every wall row-major, and `ready` if asked for."""
    ends = np.zeros(len(offsets), np.int64)
    rows = np.empty((len(problems) + 3 * len(offsets), 2), np.int32)
    n = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        width = int(p[0])  # times a row it is more than int16 holds
        rows[n, 0], rows[n, 1] = START, int(p[3]) * stride + int(p[2])
        rows[n + 1, 0], rows[n + 1, 1] = GOAL, int(p[5]) * stride + int(p[4])
        n += 2
        for y in range(p[1]):
            for x in range(width):
                if not p[HEADER + y * width + x]:
                    rows[n, 0], rows[n, 1] = WALL, y * stride + x
                    n += 1
        if ready:
            rows[n, 0], rows[n, 1] = READY, -1
            n += 1
        ends[i + 1] = n
    return rows[:n], ends
