"""How facts, questions, steps and answers are written, and drawn for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.hops.world import FACT, HEADER, JOIN, NONE, OPS, STEP
from tracelab.tasks.shared.derived import letters, plot_derived

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASK, OPEN, ENTITY, CLOSE = range(2, 6)  # rows of a prompt, after a fact's of the two kinds
LEGEND = "fact   step that asks it   . asked by none"
PICTURE_LEGEND = "steps that are answered, operands left\ncross: first bad step"


def codec_of(hops: int, entities: int, relations: int, pairings: int) -> Codec:
    """The vocabulary for so many steps, entities, relations and pairings."""
    numbers, names = tuple(str(k + 1) for k in range(hops)), tuple(letters(e) for e in range(entities))
    ones, twos = (
        tuple(f"{kind}{k + 1}" for k in range(n)) for kind, n in (("r", relations), ("p", pairings))
    )
    written = Format(
        fields={
            "r": Field(1, ones),
            "p": Field(1, twos),
            "named": Field(1, ones + twos),
            "entity": Field(1, names),
            "a": Field(2, names),
            "b": Field(3, names),
            "c": Field(4, names),
            "step": Field(1, numbers),
            "asked": Field(2, ones + twos),
            "left": Field(3, names),
            "right": Field(4, names),
            "value": Field(5, names),
        },
        prompt={
            "relation": "{r} {a} = {c}",
            "pairing": "{p} {a} {b} = {c}",
            "ask": "ask",
            "open": "( {named}",
            "entity": "{entity}",
            "close": ")",
        },
        trace={
            "hop": "hop {step} {asked} {left} {value}",
            "join": "join {step} {asked} {left} {right} {value}",
        },
        solution={"answer": "{entity}"},
    )
    marks = ("=", "ask", "(", ")", "reasoning", *OPS, "solution", "end")
    vocabulary = (*marks, *numbers, *ones, *twos, *names)
    return Codec(vocabulary, written, prompt_width=5, trace_width=6, solution_width=2)


def steps_of(problem: Integers) -> Integers:
    """(steps, STEP): a stored problem's."""
    return problem[HEADER : HEADER + STEP * problem[0]].reshape(-1, STEP)


def facts_of(problem: Integers) -> Integers:
    """(facts, FACT): a stored problem's."""
    return problem[HEADER + STEP * problem[0] :].reshape(-1, FACT)


def prompt_rows(problems: Ragged, relations: int) -> Ragged:
    """Stored problems -> rows (op, name, entities, what is given): the facts, then the question, nested."""
    rows = []
    for problem in problems:
        steps, facts = steps_of(problem), facts_of(problem)
        asked = np.array([(ASK, NONE), *question_rows(steps, -1 - len(steps), relations)], np.int32)
        block = np.full((len(facts) + len(asked), 5), -1, np.int32)
        block[: len(facts)], block[len(facts) :, :2] = facts, asked
        rows.append(block)
    return Ragged.stack(rows, 5)


def question_rows(steps: Integers, operand: int, relations: int) -> list[tuple[int, int]]:
    """(op, name) of each part of an operand, written out."""
    if operand > NONE:
        return [(ENTITY, int(operand))]
    kind, relation, *operands = steps[-2 - operand]
    parts = [question_rows(steps, int(o), relations) for o in operands if o != NONE]
    name = int(relation) + (relations if kind == JOIN else 0)
    return [(OPEN, name), *(row for part in parts for row in part), (CLOSE, NONE)]


def named(kind: int, relation: int) -> str:
    """The word of a relation or a pairing."""
    return f"{'p' if kind == JOIN else 'r'}{relation + 1}"


def told(steps: Integers, operand: int) -> str:
    """An operand as an expression."""
    if operand > NONE:
        return letters(int(operand))
    kind, relation, *operands = (int(x) for x in steps[-2 - operand])
    return f"{named(kind, relation)}({', '.join(told(steps, o) for o in operands if o != NONE)})"


def draw_world(
    problem: Integers, trace: Integers, solution: Integers, step: int | None, relations: int
) -> str:
    """The facts, each with the steps that ask it, and the question."""
    asked: dict[tuple[int, ...], list[str]] = {}
    for op, k, number, *entities in (trace if step is None else trace[: step + 1]).tolist():
        fact = op, number - relations * (op == JOIN), *entities
        asked.setdefault(fact, []).append(str(k + 1))
    lines = []
    for kind, relation, left, right, given in facts_of(problem).tolist():
        fact = kind, relation, left, right, given
        operands = ", ".join(letters(o) for o in (left, right) if o != NONE)
        text, mark = f"{named(kind, relation)}({operands})", ", ".join(asked.get(fact, "."))
        lines.append(f"{text:10} = {letters(given):3} {mark}")
    answer = letters(int(solution[0, 1])) if len(solution) else "no answer"
    steps = steps_of(problem)
    return "\n".join([*lines, f"{told(steps, -1 - len(steps))} = {answer}"])


def plot_world(ax: Axes, problem: Integers, trace: Integers, bad: int | None, relations: int) -> None:
    """Answered steps by depth from left to right, with arrows to what rests on them."""
    steps, derived = steps_of(problem), []
    for row in trace[:bad]:
        k = int(row[1])
        if k < len(steps):
            operands = [-2 - int(o) for o in steps[k, 2:] if o < NONE]
            given = " ".join(letters(int(o)) for o in row[3:5] if o >= 0)
            kind = int(row[2] >= relations)
            text = f"{named(kind, int(row[2]) - relations * kind)} {given} = {letters(int(row[5]))}"
            derived.append((k, operands, text))
    plot_derived(ax, derived, len(steps) - 1, bad is not None and bad < len(trace))
