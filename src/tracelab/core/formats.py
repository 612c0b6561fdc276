"""How rows are written as tokens: templates of operations, compiled into tables, and the loops over them.

    Format(trace={"close": "close {cell.x} {cell.y} {g} {h}"}, ...)

A word stands for itself, `{field}` for one token of the field's words, `{field?}` for one or none (what
may follow must then begin with other words); with none, fields of the same column that follow are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel

ABSENT = -1
_LITERAL, _END = -1, -2  # in the column slot of a compiled part


@dataclass(frozen=True)
class Field:
    """A column's value v, written as the word `words[(v // div) % len(words)]`."""

    column: int
    words: tuple[str, ...]
    div: int = 1


@dataclass(frozen=True)
class Format:
    """How a task's rows are written: operation -> template, in the order of the op codes.

    `trace_open` and `solution_open` are words before the two parts of a completion ("" for none);
    `stop` ends it. An empty trace is written without its opening word.
    """

    fields: Mapping[str, Field]
    prompt: Mapping[str, str]
    trace: Mapping[str, str]
    solution: Mapping[str, str]
    trace_open: str = "reasoning"
    solution_open: str = "solution"
    stop: str = "end"


class Table(NamedTuple):
    """One compiled part of a format (prompt, trace or solution)."""

    # parts: (n_ops, n_parts, 7): column, start of its words in `tokens`, base, mod, div, values, and if it is
    # optional how many parts are left out with it, itself included
    parts: NDArray[np.int32]
    tokens: NDArray[np.int32]  # the token of each value of each field
    first: NDArray[np.int32]  # (vocabulary,): the op that a token begins, or -1
    width: int  # columns of a row


def compiled(
    templates: Mapping[str, str], fields: Mapping[str, Field], token: Mapping[str, int], width: int
) -> Table:
    """Templates -> a Table. Each op must begin with a token that no other op begins with."""
    n_parts = max((len(t.split()) for t in templates.values()), default=0) + 1
    parts = np.full((len(templates), n_parts, 7), 0, np.int32)
    parts[:, :, 0] = _END
    first = np.full(len(token), ABSENT, np.int32)
    tokens: list[int] = []
    for op, template in enumerate(templates.values()):
        for p, word in enumerate(template.split()):
            if not word.startswith("{"):
                parts[op, p] = (_LITERAL, 0, token[word], 1, 1, 1, 0)
                begins = [token[word]]
            else:
                f, optional = fields[word[1:-1].rstrip("?")], word.endswith("?}")
                begins = [token[w] for w in f.words]
                assert begins == list(range(begins[0], begins[0] + len(begins))), "words of a field are a run"
                n_values = _values(template, fields, f.column)
                parts[op, p] = (f.column, len(tokens), begins[0], len(begins), f.div, n_values, optional)
                parts[op, p, 6] = optional and 1 + _followers(template.split()[p + 1 :], fields, f.column)
                tokens += [begins[(v // f.div) % len(begins)] for v in range(n_values)]
            if p == 0:
                assert (first[begins] == ABSENT).all(), f"two operations begin with {word}"
                first[begins] = op
    return Table(parts, np.array(tokens, np.int32), first, width)


def _followers(words: Sequence[str], fields: Mapping[str, Field], column: int) -> int:
    """How many of the words that follow are fields of this column and not optional by themselves."""
    count = 0
    while count < len(words) and words[count].startswith("{") and not words[count].endswith("?}"):
        if fields[words[count][1:-1]].column != column:
            break
        count += 1
    return count


def _values(template: str, fields: Mapping[str, Field], column: int) -> int:
    """How many values of a column a template can write: the reach of its field with the largest div."""
    used = [fields[word[1:-1].rstrip("?")] for word in template.split() if word.startswith("{")]
    return max(field.div * len(field.words) for field in used if field.column == column)


@kernel
def encode_rows(table: Table, rows: Integers, start: int, stop: int, out: Integers, at: int) -> int:
    """Write rows[start:stop] to `out` from place `at`; operands of -1 are left out. -> next place."""
    parts = table.parts
    for r in range(start, stop):
        op = rows[r, 0]
        for p in range(parts.shape[1]):
            column = parts[op, p, 0]
            if column == _END:
                break
            if column == _LITERAL:
                out[at] = parts[op, p, 2]
                at += 1
            elif rows[r, column] != ABSENT:
                out[at] = table.tokens[parts[op, p, 1] + rows[r, column]]
                at += 1
    return at


@kernel
def op_begun(table: Table, token: int) -> int:
    """The op that a token begins, or -1; any integer is a token here, in the vocabulary or not."""
    return table.first[token] if 0 <= token < len(table.first) else ABSENT


@kernel
def width_of(table: Table, op: int) -> int:
    """How many tokens a row with this op is written with."""
    p = 0
    while table.parts[op, p, 0] != _END:
        p += 1
    return p


@kernel
def decode_row(table: Table, tokens: Integers, at: int, stop: int, row: Integers) -> int:
    """Read one row of tokens[at:stop] into `row`. -> next place, or -1 if no whole row is there."""
    op = op_begun(table, tokens[at])
    if op < 0:
        return -1
    row[:] = ABSENT
    row[0] = op
    p = 0
    while table.parts[op, p, 0] != _END:
        column, optional = table.parts[op, p, 0], table.parts[op, p, 6]
        digit = tokens[at] - table.parts[op, p, 2] if at < stop else -1
        if digit < 0 or digit >= table.parts[op, p, 3]:
            if optional == 0:
                return -1
            p += optional
            continue
        if column != _LITERAL:
            row[column] = max(row[column], 0) + digit * table.parts[op, p, 4]
        at += 1
        p += 1
    return at


@kernel
def decode_rows(table: Table, tokens: Integers, at: int, rows: Integers) -> tuple[int, int]:
    """Read rows until something else comes. -> (rows read, next place)."""
    count = 0
    while at < len(tokens):
        after = decode_row(table, tokens, at, len(tokens), rows[count])
        if after < 0:
            break
        at = after
        count += 1
    return count, at


@kernel
def measure(table: Table, values: Integers, offsets: Integers, sizes: Integers) -> int:
    """Count the tokens of each item. -> the first row that has no words, or -1."""
    parts = table.parts
    for i in range(len(sizes)):
        for r in range(offsets[i], offsets[i + 1]):
            op = values[r, 0]
            if op < 0 or op >= len(parts):
                return r
            for p in range(parts.shape[1]):
                column = parts[op, p, 0]
                if column == _END:
                    break
                value = 0 if column == _LITERAL else values[r, column]
                if value < ABSENT or value >= parts[op, p, 5]:
                    return r
                sizes[i] += value != ABSENT
    return -1


@kernel
def encode_batch(
    table: Table, values: Integers, offsets: Integers, out_offsets: Integers, out: Integers
) -> None:
    """Write each item where its tokens begin."""
    for i in range(len(offsets) - 1):
        encode_rows(table, values, offsets[i], offsets[i + 1], out, out_offsets[i])
