"""Countdown's compiled batch kernels: draw, write prompts."""

from __future__ import annotations

import numpy as np

from tracelab.core.jit import njit
from tracelab.tasks._countdown_draws import HEADER, TARGET, USE_ALL, draw_problem

NUMBERS_ROW, NUMBER_ROW, TARGET_ROW = range(3)  # rows of a prompt


@njit
def draw_problems(knobs, targets, low, high, bins, keys):  # type: ignore[no-untyped-def]
    """One problem per key -> (first key that failed or -1, (n, size) problems, identities)."""
    n = len(keys)
    problems, identities = np.empty((n, HEADER + knobs.numbers), np.int16), np.empty(n, np.uint64)
    numbers, random = np.empty(knobs.numbers, np.int64), np.empty(1, np.uint64)
    for i in range(n):
        random[0] = keys[i]
        target, identities[i] = draw_problem(knobs, targets, low, high, bins, random, numbers)
        if target < 0:
            return i, problems, identities
        problems[i, TARGET], problems[i, USE_ALL] = target, knobs.use_all
        problems[i, HEADER:] = numbers
    return -1, problems, identities


@njit
def prompt_rows(problems, offsets):  # type: ignore[no-untyped-def]
    """Problems -> rows (op, number): the numbers, then the target."""
    rows, ends, n = np.full((len(problems), 2), -1, np.int32), np.zeros(len(offsets), np.int64), 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        rows[n, 0] = NUMBERS_ROW
        for k in range(HEADER, len(p)):
            rows[n + k - 1, 0], rows[n + k - 1, 1] = NUMBER_ROW, p[k]
        n += len(p)
        rows[n - 1, 0], rows[n - 1, 1] = TARGET_ROW, p[TARGET]
        ends[i + 1] = n
    return rows, ends
