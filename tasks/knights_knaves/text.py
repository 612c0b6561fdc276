"""How islands are written: statements in prefix order for the model, in brackets for people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Integers, Ragged
from tracelab.search.backtracking.search import CONFLICT, OPS
from tracelab.tasks.knights_knaves.statements import CONNECTIVE, CONNECTIVES, HEADER, NOT
from tracelab.tasks.shared.trails import assigned

NAMES = tuple("ABCDEFGH")
KINDS = ("knight", "knave")
LEGEND = "A+ knight   A- knave   A unknown   ? decided   ! who cannot have said so"
SAYS, ATOM, JOINED = range(3)  # rows of a prompt


def codec_of(people: int) -> Codec:
    """The vocabulary for up to so many people."""
    names, literal = NAMES[:people], "{kind} {person}"
    written = Format(
        fields={
            "kind": Field(1, KINDS),
            "person": Field(1, names, div=2),
            "name": Field(1, names),
            "connective": Field(1, CONNECTIVES),
            "speaker": Field(2, names),
        },
        prompt={"says": "{name} says", "atom": literal, "joined": "{connective}"},
        trace={
            "decide": f"decide {literal}",
            "propagate": f"propagate {literal} {{speaker}}",
            "conflict": "conflict {speaker}",
            "backtrack": f"backtrack {literal}",
        },
        solution={"literal": literal},
    )
    words = ("says", "reasoning", *OPS, "solution", "end", *CONNECTIVES, *KINDS, *names)
    return Codec(words, written, prompt_width=2, trace_width=3, solution_width=2)


def statements_of(problem: Integers) -> list[list[int]]:
    """What each person says: codes in prefix order."""
    statements: list[list[int]] = []
    missing = 0
    for code in (int(code) for code in problem[HEADER:]):
        if missing == 0:
            statements.append([])
            missing = 1
        statements[-1].append(code)
        missing += (0 if code == CONNECTIVE + NOT else 1) if code >= CONNECTIVE else -1
    return statements


def prompt_rows(problems: Ragged) -> Ragged:
    """Stored problems -> rows (op, operand): each speaker and the statement."""
    blocks = []
    for problem in problems:
        rows = []
        for speaker, codes in enumerate(statements_of(problem)):
            rows.append((SAYS, speaker))
            rows += [(JOINED, code - CONNECTIVE) if code >= CONNECTIVE else (ATOM, code) for code in codes]
        blocks.append(np.array(rows, np.int32))
    return Ragged.stack(blocks, 2)


def draw_island(problem: Integers, trace: Integers, solution: Integers, step: int | None = None) -> str:
    """Who says what, with what is known after the trace's first `step` steps, or the solution."""
    marks: dict[int, str] = {}
    if step is None:
        marks = {int(row[1]) >> 1: "-" if row[1] & 1 else "+" for row in solution}
    else:
        for span in assigned(trace[:step], 2).values():
            marks[span.variable] = ("-" if span.value else "+") + ("?" if span.op == 0 else "")
    failed = -1
    if step is not None and 0 < step <= len(trace) and trace[step - 1][0] == CONFLICT:
        failed = int(trace[step - 1][2])
    lines = []
    for speaker, codes in enumerate(statements_of(problem)):
        name = f"{'!' if speaker == failed else ' '}{NAMES[speaker]}{marks.get(speaker, '')}"
        lines.append(f"{name:<5}says: {bracketed(iter(codes), marks)}")
    return "\n".join(lines)


def bracketed(codes: Iterator[int], marks: dict[int, str], *, inner: bool = False) -> str:
    """The statement that an iterator's next codes are: (A knight and B- knave)."""
    code = next(codes)
    if code < CONNECTIVE:
        return f"{NAMES[code >> 1]}{marks.get(code >> 1, '')} {KINDS[code & 1]}"
    word = CONNECTIVES[code - CONNECTIVE]
    if code == CONNECTIVE + NOT:
        return f"not {bracketed(codes, marks, inner=True)}"
    left = bracketed(codes, marks, inner=True)
    text = f"{left} {word} {bracketed(codes, marks, inner=True)}"
    return f"({text})" if inner else text
