"""How graph problems, searches and solutions are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import Codec
from tracelab.core.formats import ABSENT, Field, Format
from tracelab.core.jit import kernel, njit
from tracelab.tasks.graph_path.draws import EDGES, HEADER, SECOND, START, TARGET

MARKS = ("start", "goal", "edge", "arc", "at", "reasoning", "create", "close", "solution", "end")
START_ROW, GOAL_ROW, EDGE_ROW, AT_ROW = range(4)  # rows of a prompt


def codec_of(labels: int, dearest: int, plain: bool, weighted: bool, directed: bool, guided: bool) -> Codec:
    """The vocabulary for so many node words and costs up to the dearest. plain: does a word stand before each
    edge? guided: is h written?
    """
    nodes = tuple(str(n) for n in range(labels))
    costs = tuple(f"c{n}" for n in range(dearest + 1))
    step = "{a} {g} {h}" if guided else "{a} {g}"
    edge = "{a} {b} {w}" if weighted else "{a} {b}"
    if plain:
        edge = ("arc " if directed else "edge ") + edge
    written = Format(
        fields={
            "a": Field(1, nodes),
            "b": Field(2, nodes),
            "w": Field(3, costs),
            "x": Field(2, nodes),
            "y": Field(3, nodes),
            "g": Field(2, costs),
            "h": Field(3, costs),
        },
        prompt={"start": "start {a}", "goal": "goal {a}", "edge": edge, "at": "at {a} {x} {y}"},
        trace={"create": f"create {step}", "close": f"close {step}"},
        solution={"node": "{a}"},
    )
    return Codec((*MARKS, *nodes, *costs), written, prompt_width=4, trace_width=4, solution_width=2)


@njit
def prompt_rows(
    problems: Integers, offsets: Integers, query_last: bool, weighted: bool
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Problems -> rows (op, a, b, weight), in the order in which they are stored."""
    ends = np.zeros(len(offsets), np.int64)
    rows = np.full((len(problems), 4), ABSENT, np.int32)
    n = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        if not query_last:
            n = query_rows(p, rows, n)
        for k in range(HEADER, len(p), 3):
            is_edge = k < HEADER + 3 * int(p[EDGES])
            rows[n, 0], rows[n, 1], rows[n, 2] = EDGE_ROW if is_edge else AT_ROW, p[k], p[k + 1]
            rows[n, 3] = p[k + 2] if weighted or not is_edge else ABSENT
            n += 1
        if query_last:
            n = query_rows(p, rows, n)
        ends[i + 1] = n
    return rows[:n], ends


@kernel
def query_rows(p: Integers, rows: Integers, n: int) -> int:
    """The start and the one or two goals -> the next row."""
    rows[n, 0], rows[n, 1] = START_ROW, p[START]
    rows[n + 1, 0], rows[n + 1, 1] = GOAL_ROW, p[TARGET]
    n += 2
    if p[SECOND] >= 0:
        rows[n, 0], rows[n, 1] = GOAL_ROW, p[SECOND]
        n += 1
    return n
