"""Graph problems' compiled batch kernels: draw, write prompts."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import ABSENT
from tracelab.core.jit import kernel, njit
from tracelab.tasks._graph_path_draws import (
    EDGES,
    HEADER,
    SECOND,
    START,
    TARGET,
    draw_problem,
    least_cost,
    new_desk,
)

START_ROW, GOAL_ROW, EDGE_ROW, AT_ROW = range(4)  # rows of a prompt


@njit
def draw_problems(knobs, low, high, bins, keys):  # type: ignore[no-untyped-def]
    """One problem per key -> (first key that failed or -1, (n, size) problems, identities, least costs)."""
    n, size = len(keys), HEADER + 3 * (knobs.edges + (knobs.nodes if knobs.coordinates else 0))
    problems, identities = np.empty((n, size), np.int16), np.empty(n, np.uint64)
    least, random, desk = np.empty(n, np.int64), np.empty(1, np.uint64), new_desk(knobs)
    for i in range(n):
        random[0] = keys[i]
        start, goal, identities[i] = draw_problem(knobs, low, high, bins, random, desk, problems[i])
        if start < 0:
            return i, problems, identities, least
        least[i] = least_cost(knobs, desk.edges, start, goal, desk.nodes[2])
    return -1, problems, identities, least


@njit
def prompt_rows(problems, offsets, query_last, weighted):  # type: ignore[no-untyped-def]
    """Problems -> rows (op, a, b, weight), in the order in which they are stored."""
    ends = np.zeros(len(offsets), np.int64)
    rows = np.full((len(problems), 4), ABSENT, np.int32)
    n = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        if not query_last:
            n = query_rows(p, rows, n)
        for k in range(HEADER, len(p), 3):
            is_edge = k < HEADER + 3 * p[EDGES]
            rows[n, 0], rows[n, 1], rows[n, 2] = EDGE_ROW if is_edge else AT_ROW, p[k], p[k + 1]
            rows[n, 3] = p[k + 2] if weighted or not is_edge else ABSENT
            n += 1
        if query_last:
            n = query_rows(p, rows, n)
        ends[i + 1] = n
    return rows[:n], ends


@kernel
def query_rows(p, rows, n):  # type: ignore[no-untyped-def]
    """The start and the one or two goals -> the next row."""
    rows[n, 0], rows[n, 1], rows[n + 1, 0], rows[n + 1, 1] = START_ROW, p[START], GOAL_ROW, p[TARGET]
    n += 2
    if p[SECOND] >= 0:
        rows[n, 0], rows[n, 1] = GOAL_ROW, p[SECOND]
        n += 1
    return n


@kernel
def largest_label(problems, offsets):  # type: ignore[no-untyped-def]
    """The largest node word in a batch."""
    largest = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        for k in range(HEADER, HEADER + 3 * p[EDGES], 3):
            largest = max(largest, p[k], p[k + 1])
    return largest
