"""Graph problems' compiled batch kernels: generate and solve, write prompts, judge."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import ABSENT
from tracelab.core.jit import njit
from tracelab.core.rng import mix64
from tracelab.search.best_first import CREATE, path_to, search
from tracelab.search.judge import judge_one, new_room
from tracelab.search.replay import new_board, replay
from tracelab.search.space import read_state
from tracelab.tasks._graph_path_draws import (
    EDGES,
    HEADER,
    SECOND,
    START,
    TARGET,
    draw_problem,
    flood,
    least_cost,
    new_desk,
)
from tracelab.tasks._graph_path_space import graph_of, new_tables

START_ROW, GOAL_ROW, EDGE_ROW, AT_ROW = range(4)  # rows of a prompt
MEASURES = ("expansions", "generated", "optimal_cost", "optimal_edges")


@njit
def generate(knobs, strategy, low, high, bins, keys):  # type: ignore[no-untyped-def]
    """Draw and solve one problem per key.

    -> (first key that failed or -1, identities, problems, trace rows, ends of traces, path states,
    ends of paths, measures)
    """
    n = len(keys)
    identities, measures = np.empty(n, np.uint64), np.empty((n, len(MEASURES)), np.int64)
    size = HEADER + 3 * (knobs.edges + (knobs.nodes if knobs.coordinates else 0))
    problems = np.empty((n, size), np.int16)
    row_ends, path_ends = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    random, path = np.empty(1, np.uint64), np.empty(knobs.labels, np.int32)
    desk, graph_tables = new_desk(knobs), new_tables(knobs.labels, knobs.edges)
    scratch = np.empty((knobs.nodes + 2 * knobs.edges + 2, 4), np.int32)
    all_rows, all_paths = np.empty((64 * n + 1, 4), np.int32), np.empty((8 * n + 1, 2), np.int32)
    for i in range(n):
        random[0] = keys[i]
        start, goal, identities[i] = draw_problem(knobs, low, high, bins, random, desk, problems[i])
        if start < 0:
            return i, identities, problems, all_rows, row_ends, all_paths, path_ends, measures
        graph = graph_of(problems[i], graph_tables)
        random[0] = mix64(keys[i])
        count, state, parent, measures[i, 0] = search(graph, strategy, random, scratch)
        length = path_to(parent, state, path)
        measures[i, 1] = (scratch[:count, 0] == CREATE).sum() + 1
        measures[i, 2] = least_cost(knobs, desk.edges, start, goal, desk.nodes[2])
        flood(knobs, desk.edges, start, desk.nodes[1])
        measures[i, 3] = desk.nodes[1, goal]
        row_ends[i + 1], path_ends[i + 1] = row_ends[i] + count, path_ends[i] + length
        all_rows, all_paths = grown(all_rows, row_ends[i + 1]), grown(all_paths, path_ends[i + 1])
        all_rows[row_ends[i] : row_ends[i + 1]] = scratch[:count]
        all_paths[path_ends[i] : path_ends[i + 1], 0] = 0
        all_paths[path_ends[i] : path_ends[i + 1], 1] = path[:length]
    return -1, identities, problems, all_rows, row_ends, all_paths, path_ends, measures


@njit
def grown(array, wanted):  # type: ignore[no-untyped-def]
    """The array, or a copy of twice the room where `wanted` rows do not fit."""
    if wanted <= len(array):
        return array
    larger = np.empty((max(2 * len(array), wanted), array.shape[1]), array.dtype)
    larger[: len(array)] = array
    return larger


@njit
def judge(strategy, trace, solution, markers, labels, problems, offsets, optimal, tokens, ends, out):  # type: ignore[no-untyped-def]
    """Judge completion i of problem i; `out` are the fields of Verdicts."""
    valid, best, solution_reason, reason, at, steps = out
    longest, edges = 1, 1
    for i in range(len(offsets) - 1):
        longest = max(longest, ends[i + 1] - ends[i] + 1)
        edges = max(edges, problems[offsets[i] + EDGES])
    tables = new_tables(labels, edges)
    four, fours = np.empty(4, np.uint8), np.empty(4, np.int32)
    for i in range(len(offsets) - 1):
        graph = graph_of(problems[offsets[i] : offsets[i + 1]], tables)
        if i == 0:
            room = new_room(graph, trace, longest)
        completion = tokens[ends[i] : ends[i + 1]]
        steps[i], solution_reason[i], cost = judge_one(
            graph, strategy, trace, solution, markers, completion, room, four, fours
        )
        reason[i], at[i] = four[:3], fours[:3]
        valid[i] = solution_reason[i] == 0
        best[i] = valid[i] and cost == optimal[i]


@njit
def judge_traces(strategy, labels, problems, offsets, rows, row_ends, paths, path_ends, ok):  # type: ignore[no-untyped-def]
    """Is trace i (rows) strictly valid for problem i and reference solution i?"""
    longest, farthest, edges = 1, 0, 1
    for i in range(len(ok)):
        longest = max(longest, row_ends[i + 1] - row_ends[i])
        farthest = max(farthest, path_ends[i + 1] - path_ends[i])
        edges = max(edges, problems[offsets[i] + EDGES])
    path, tables = np.empty(farthest, np.int32), new_tables(labels, edges)
    reason, at = np.empty(2, np.uint8), np.empty(2, np.int32)
    for i in range(len(ok)):
        graph = graph_of(problems[offsets[i] : offsets[i + 1]], tables)
        if i == 0:
            board = new_board(graph, longest)
        length = path_ends[i + 1] - path_ends[i]
        for k in range(length):
            path[k] = read_state(graph, paths[path_ends[i] + k], 1)
        trace = rows[row_ends[i] : row_ends[i + 1]]
        replay(graph, strategy, trace, len(trace), path[:length], board, reason, at)
        ok[i] = len(trace) > 0 and reason[1] == 0


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


@njit
def query_rows(p, rows, n):  # type: ignore[no-untyped-def]
    """The start and the one or two goals -> the next row."""
    rows[n, 0], rows[n, 1], rows[n + 1, 0], rows[n + 1, 1] = START_ROW, p[START], GOAL_ROW, p[TARGET]
    n += 2
    if p[SECOND] >= 0:
        rows[n, 0], rows[n, 1] = GOAL_ROW, p[SECOND]
        n += 1
    return n


@njit
def largest_label(problems, offsets):  # type: ignore[no-untyped-def]
    """The largest node word in a batch."""
    largest = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        for k in range(HEADER, HEADER + 3 * p[EDGES], 3):
            largest = max(largest, p[k], p[k + 1])
    return largest
