"""How Countdown problems, searches and solutions are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.jit import njit
from tracelab.tasks.countdown.draws import HEADER, SIGNS, TARGET
from tracelab.tasks.countdown.space import FIRST

SOLUTION_WIDTH = FIRST + 1
NUMBERS_ROW, NUMBER_ROW, TARGET_ROW = range(3)  # rows of a prompt


def codec_of(name: str, numbers: int, limit: int) -> Codec:
    """The vocabulary and the tables of a format, for so many numbers up to a limit."""
    values, costs = tuple(str(n) for n in range(limit + 1)), tuple(f"c{n}" for n in range(limit + 1))
    rest = " ".join(f"{{n{k}?}}" for k in range(1, numbers - 1))
    hand = " ".join(["{n0}", *(f"{{n{k}?}}" for k in range(1, numbers))])
    marks: tuple[str, ...] = ("create", "close")
    if name == "compact":
        trace = {
            "create": f"create {{a}} {{sign}} {{b}} = {{n0}} {rest} {{g}} {{h}}",
            "close": f"close {hand} {{g}} {{h}}",
        }
    else:
        marks = ("Exploring", "Operation:", "Remaining", "Numbers:", "Current", "State:", "Operations:")
        trace = {
            "create": f"Exploring Operation: {{a}} {{sign}} {{b}} = {{n0}} Remaining Numbers: {rest} "
            "Operations: {g}",
            "close": f"Current State: {hand} Operations: {{g}}",
        }
    fields = {
        "number": Field(1, values),
        "a": Field(1, values),
        "sign": Field(2, tuple(SIGNS)),
        "b": Field(3, values),
        "g": Field(FIRST + numbers, costs if name == "compact" else values),
        "h": Field(FIRST + numbers + 1, costs),
        **{f"n{k}": Field(FIRST + k, values) for k in range(numbers)},
    }
    prompt = {"numbers": "numbers", "number": "{number}", "target": "target {number}"}
    words = ("numbers", "target", "=", "reasoning", *marks, "solution", "end", *SIGNS, *values, *costs)
    written = Format(fields, prompt, trace, solution={"equation": "{a} {sign} {b} = {n0}"})
    width = FIRST + numbers + 2
    return Codec(words, written, prompt_width=2, trace_width=width, solution_width=SOLUTION_WIDTH)


@njit
def prompt_rows(problems: Integers, offsets: Integers) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Problems -> rows (op, number): the numbers, then the target."""
    rows = np.full((len(problems), 2), -1, np.int32)
    ends = np.zeros(len(offsets), np.int64)
    n = 0
    for i in range(len(offsets) - 1):
        p = problems[offsets[i] : offsets[i + 1]]
        rows[n, 0] = NUMBERS_ROW
        for k in range(HEADER, len(p)):
            rows[n + k - 1, 0], rows[n + k - 1, 1] = NUMBER_ROW, p[k]
        n += len(p)
        rows[n - 1, 0], rows[n - 1, 1] = TARGET_ROW, p[TARGET]
        ends[i + 1] = n
    return rows, ends
