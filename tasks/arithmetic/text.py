"""How definitions, evaluations and answers are written, and drawn for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.arithmetic.program import HEADER, LET, OPS, WIDTH
from tracelab.tasks.shared.derived import letters, plot_derived

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNS = ("+", "-", "*")  # of add, sub, mul
LEGEND = ":= defined   = value in the trace   ? asked for   . not in the trace"
PICTURE_LEGEND = "definitions that are evaluated, operands left\ncross: first bad step"


def codec_of(names: int, modulus: int) -> Codec:
    """The vocabulary for so many names, and numbers below the modulus."""
    words, numbers = tuple(letters(k) for k in range(names)), tuple(map(str, range(modulus)))
    step = "{name} {left} {right} {value}"
    written = Format(
        fields={
            "name": Field(1, words),
            "left_operand": Field(2, words + numbers),
            "sign": Field(3, SIGNS),
            "right_operand": Field(4, words + numbers),
            "left": Field(2, numbers),
            "right": Field(3, numbers),
            "value": Field(4, numbers),
            "answer": Field(1, numbers),
        },
        prompt={"define": "{name} = {left_operand} {sign} {right_operand}", "ask": "ask {name}"},
        trace={"let": "let {name} {value}", **{op: f"{op} {step}" for op in OPS[1:]}},
        solution={"answer": "{answer}"},
    )
    marks = ("ask", "=", *SIGNS, "reasoning", *OPS, "solution", "end")
    return Codec((*marks, *words, *numbers), written, prompt_width=5, trace_width=5, solution_width=2)


def prompt_rows(problems: Ragged, names: int) -> Ragged:
    """Stored problems -> rows (op, name, left, sign, right): the definitions, then the question."""
    rows = []
    for problem in problems:
        definitions = problem[HEADER:].reshape(-1, WIDTH).astype(np.int32)
        block = np.full((len(definitions) + 1, 5), -1, np.int32)
        block[:-1, 0], block[:-1, 1] = 0, definitions[:, 0]
        operands = np.where(definitions[:, 2:] < 0, names - 1 - definitions[:, 2:], definitions[:, 2:])
        computed = definitions[:, 1] != LET
        block[:-1, 2] = operands[:, 0]
        block[:-1, 3] = np.where(computed, definitions[:, 1] - 1, -1)
        block[:-1, 4] = np.where(computed, operands[:, 1], -1)
        block[-1, :2] = 1, problem[3]
        rows.append(block)
    return Ragged.stack(rows, 5)


def draw_program(problem: Integers, trace: Integers, solution: Integers, step: int | None) -> str:
    """The definitions, with what the steps have derived."""
    derived = {int(row[1]): int(row[4]) for row in (trace if step is None else trace[: step + 1])}
    used = {int(row[1]) for row in trace}
    lines = []
    for name, rule, left, right in problem[HEADER:].reshape(-1, WIDTH):
        operands = [letters(int(o)) if o >= 0 else str(-1 - int(o)) for o in (left, right)]
        text = operands[0] if rule == LET else f"{operands[0]} {SIGNS[rule - 1]} {operands[1]}"
        mark = "?" if name == problem[3] else " " if name in used else "."
        value = f" = {derived[int(name)]}" if int(name) in derived else ""
        lines.append(f"{mark} {letters(int(name)):3} := {text:10}{value}")
    answer = f"answer {int(solution[0, 1])}" if len(solution) else "no answer"
    return "\n".join([*lines, f"{letters(int(problem[3]))} modulo {int(problem[2])}: {answer}"])


def plot_program(ax: Axes, problem: Integers, trace: Integers, bad: int | None) -> None:
    """Evaluated definitions by depth from left to right, with arrows to what rests on them."""
    table, derived = {int(d[0]): d for d in problem[HEADER:].reshape(-1, WIDTH)}, []
    for row in trace[:bad]:
        name = int(row[1])
        if name in table:
            operands = [int(o) for o in table[name][2:] if o >= 0 and table[name][1] != LET]
            derived.append((name, operands, f"{letters(name)} = {int(row[4])}"))
    plot_derived(ax, derived, int(problem[3]), bad is not None and bad < len(trace))
