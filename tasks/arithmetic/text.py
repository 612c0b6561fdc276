"""How definitions, evaluations and answers are written, and drawn for people."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.arithmetic.program import HEADER, LET, OPS, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNS = ("+", "-", "*")  # of add, sub, mul
LEGEND = ":= defined   = value in the trace   ? asked for   . not in the trace"
PICTURE_LEGEND = "definitions that are evaluated, operands left\ncross: first bad step"


def name_of(k: int) -> str:
    """A to Z, then A1 to Z1, ..."""
    round_, letter = divmod(k, 26)
    return ascii_uppercase[letter] + (str(round_) if round_ else "")


def codec_of(names: int, modulus: int) -> Codec:
    """The vocabulary for so many names, and numbers below the modulus."""
    words, numbers = tuple(name_of(k) for k in range(names)), tuple(map(str, range(modulus)))
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
        operands = [name_of(int(o)) if o >= 0 else str(-1 - int(o)) for o in (left, right)]
        text = operands[0] if rule == LET else f"{operands[0]} {SIGNS[rule - 1]} {operands[1]}"
        mark = "?" if name == problem[3] else " " if name in used else "."
        value = f" = {derived[int(name)]}" if int(name) in derived else ""
        lines.append(f"{mark} {name_of(int(name)):3} := {text:10}{value}")
    answer = f"answer {int(solution[0, 1])}" if len(solution) else "no answer"
    return "\n".join([*lines, f"{name_of(int(problem[3]))} modulo {int(problem[2])}: {answer}"])


def plot_program(ax: Axes, problem: Integers, trace: Integers, bad: int | None) -> None:
    """Evaluated definitions by depth from left to right, with arrows to what rests on them."""
    table = {int(d[0]): d for d in problem[HEADER:].reshape(-1, WIDTH)}
    depth: dict[int, int] = {}
    places: dict[int, tuple[float, float]] = {}
    used: dict[int, int] = {}
    for row in trace[:bad]:
        name = int(row[1])
        if name not in table or name in depth:
            continue
        operands = [int(o) for o in table[name][2:] if o >= 0 and table[name][1] != LET]
        depth[name] = 1 + max((depth.get(o, 0) for o in operands), default=0)
        used[depth[name]] = used.get(depth[name], 0) + 1
        places[name] = (depth[name], -used[depth[name]])
        for operand in operands:
            if operand in places:
                arrow = {"arrowstyle": "->", "color": "#999999"}
                ax.annotate("", places[name], places[operand], arrowprops=arrow, zorder=1)
        colour = "#E69F00" if name == problem[3] else "#56B4E9"
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": "none", "alpha": 0.9}
        text = f"{name_of(name)} = {int(row[4])}"
        ax.text(*places[name], text, ha="center", va="center", fontsize=7, bbox=box)
    if bad is not None and bad < len(trace):
        ax.plot(0.3, -0.4, "x", color="#D55E00", ms=9, mew=2.2)
    deepest, widest = max(depth.values(), default=1), max(used.values(), default=1)
    ax.set(xlim=(0, deepest + 1), ylim=(-widest - 0.7, 0), xticks=[], yticks=[])
    ax.grid(visible=False)
