"""Tokens from rows and back: one table-driven code path for every task and every format.

A problem, a trace and a solution are integer matrices, one row an item (operation, operands; -1
where absent). A `Format` says how each operation is written:

    Format(trace={"close": "close {cell.x} {cell.y} {g} {h}"}, ...)

A word stands for itself, `{field}` for one token of the field's words, `{field?}` for one or none (what
may follow must then begin with other words). `Codec` compiles that into arrays; encoding and decoding run
over whole batches in compiled code. Decoding never raises: what does not parse is reported by position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.jit import kernel
from tracelab.core.ragged import Integers, Ragged, offsets_of

PAD, UNK, BOS, EOS = SPECIALS = ("<|pad|>", "<|unk|>", "<|bos|>", "<|eos|>")
FILLER = UNK  # the word that means nothing, in every vocabulary
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

    # parts: (n_ops, n_parts, 7): column, start of its words in `tokens`, base, mod, div, values, optional?
    parts: NDArray[np.int32]
    tokens: NDArray[np.int32]  # the token of each value of each field
    first: NDArray[np.int32]  # (vocabulary,): the op that a token begins, or -1
    width: int  # columns of a row


@dataclass(frozen=True)
class Codec:
    """A closed word-level vocabulary and the compiled tables of one format.

    words: the task's words, in order; the four specials come first. width: columns of a trace row.
    """

    words: tuple[str, ...]
    format: Format
    prompt_width: int
    trace_width: int
    solution_width: int
    token: dict[str, int] = field(init=False)
    prompt: Table = field(init=False)
    trace: Table = field(init=False)
    solution: Table = field(init=False)

    def __post_init__(self) -> None:
        vocabulary = self.vocabulary
        assert len(set(vocabulary)) == len(vocabulary), "a word stands twice in the vocabulary"
        token = {word: i for i, word in enumerate(vocabulary)}
        put = object.__setattr__
        put(self, "token", token)
        for name in ("prompt", "trace", "solution"):
            templates, width = getattr(self.format, name), getattr(self, f"{name}_width")
            put(self, name, _compile(templates, self.format.fields, token, width))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words; a word's token is its place."""
        return SPECIALS + self.words

    @property
    def markers(self) -> tuple[int, int, int]:
        """Tokens of trace_open, solution_open (-1 where the format has none) and stop."""
        trace_open, solution_open, stop = (
            self.token[word] if word else ABSENT
            for word in (self.format.trace_open, self.format.solution_open, self.format.stop)
        )
        return trace_open, solution_open, stop

    @property
    def stop(self) -> int:
        """The token that ends a completion."""
        return self.token[self.format.stop]

    def words_of(self, tokens: Sequence[int] | Integers) -> str:
        """Tokens -> text, words separated by blanks; a token outside the vocabulary is UNK."""
        vocabulary = self.vocabulary
        return " ".join(vocabulary[t] if 0 <= t < len(vocabulary) else UNK for t in tokens)

    def tokens_of(self, text: str) -> NDArray[np.int32]:
        """Text -> tokens. ValueError names the first unknown word."""
        try:
            return np.array([self.token[word] for word in text.split()], dtype=np.int32)
        except KeyError as error:
            raise ValueError(
                f"the word {error.args[0]!r} is not in this vocabulary of {len(self.vocabulary)} words: "
                "is the text of another format, or of a larger size than the task's?"
            ) from None

    def encode(self, table: Table, rows: Ragged) -> Ragged:
        """(n rows of (k, width)) -> tokens, int32. ValueError if an operation or operand has no word."""
        sizes = np.zeros(len(rows), np.int64)
        bad = _measure(table, rows.values, rows.offsets, sizes)
        if bad >= 0:
            row = rows.values[bad].tolist()
            raise ValueError(f"the row {row} cannot be written: its operation or an operand has no word")
        offsets = offsets_of(sizes)
        out = np.empty(offsets[-1], np.int32)
        _encode_batch(table, rows.values, rows.offsets, offsets, out)
        return Ragged(out, offsets)

    def decode(self, table: Table, tokens: Integers) -> tuple[Integers, int]:
        """Tokens -> (rows, how many tokens were read); stops before what is no row of this table."""
        rows = np.full((len(tokens), table.width), ABSENT, np.int32)
        count, read = decode_rows(table, narrow(np.asarray(tokens)), 0, rows)
        return rows[:count], int(read)

    def read_completion(self, tokens: Integers) -> tuple[Integers, Integers]:
        """A completion's (trace rows, solution rows), as far as they parse; for people and pictures."""
        trace_open, solution_open, stop = self.markers
        ends = np.flatnonzero(np.asarray(tokens) == stop)
        body = np.asarray(tokens)[: ends[0] if len(ends) else None]
        if len(body) and body[0] == trace_open:
            body = body[1:]
        trace, read = self.decode(self.trace, body)
        opens = np.flatnonzero(body[read:] == solution_open)
        begins = opens + 1 if solution_open != ABSENT else np.array([0])
        rest = body[read + begins[0] :] if len(begins) else body[:0]
        return trace, self.decode(self.solution, rest)[0]

    def assemble(self, prompts: Ragged, traces: Ragged, solutions: Ragged) -> Sequences:
        """Prompt, trace and solution tokens -> whole sequences with markers and part lengths."""
        trace_open, solution_open, stop = self.markers
        opened = (traces.lengths > 0) & (trace_open != ABSENT)
        trace = traces.lengths + opened
        solution = solutions.lengths + 1 + (solution_open != ABSENT)
        offsets = offsets_of(prompts.lengths + trace + solution)
        out = np.empty(offsets[-1], np.int32)
        _assemble(
            (prompts.values, traces.values, solutions.values),
            (prompts.offsets, traces.offsets, solutions.offsets),
            (trace_open, solution_open, stop),
            offsets,
            out,
        )
        return Sequences(Ragged(out, offsets), prompts.lengths.astype(np.int32), trace.astype(np.int32))


def narrow(tokens: Integers) -> NDArray[np.int32]:
    """Tokens as int32; what does not fit stays outside every vocabulary (a cast would wrap it in)."""
    if tokens.dtype != np.int32:
        tokens = np.clip(tokens.astype(np.int64, copy=False), ABSENT, np.iinfo(np.int32).max)
    return tokens.astype(np.int32, copy=False)


@dataclass(frozen=True, slots=True)
class Sequences:
    """What a model is trained on: sequence i is prompt, trace and solution in a row.

    tokens: (n) rows; prompt, trace: (n,) how many tokens the first two parts have (markers
    included: the trace's opening word counts as trace, the solution's and the stop as solution).
    """

    tokens: Ragged
    prompt: NDArray[np.int32]
    trace: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Integers) -> Sequences:
        """The given sequences, in the given order."""
        return Sequences(self.tokens.take(rows), self.prompt[rows], self.trace[rows])


def _compile(
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
                n_values = _values(fields, f.column)
                parts[op, p] = (f.column, len(tokens), begins[0], len(begins), f.div, n_values, optional)
                tokens += [begins[(v // f.div) % len(begins)] for v in range(n_values)]
            if p == 0:
                assert (first[begins] == ABSENT).all(), f"two operations begin with {word}"
                first[begins] = op
    return Table(parts, np.array(tokens, np.int32), first, width)


def _values(fields: Mapping[str, Field], column: int) -> int:
    """How many values of a column can be written: the reach of the field with the largest div."""
    return max(f.div * len(f.words) for f in fields.values() if f.column == column)


@kernel
def encode_rows(table, rows, start, stop, out, at):  # type: ignore[no-untyped-def]
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
def op_begun(table, token):  # type: ignore[no-untyped-def]
    """The op that a token begins, or -1; any integer is a token here, in the vocabulary or not."""
    return table.first[token] if 0 <= token < len(table.first) else ABSENT


@kernel
def width_of(table, op):  # type: ignore[no-untyped-def]
    """How many tokens a row with this op is written with."""
    p = 0
    while table.parts[op, p, 0] != _END:
        p += 1
    return p


@kernel
def decode_row(table, tokens, at, stop, row):  # type: ignore[no-untyped-def]
    """Read one row of tokens[at:stop] into `row`. -> next place, or -1 if no whole row is there."""
    op = op_begun(table, tokens[at])
    if op < 0:
        return -1
    row[:] = ABSENT
    row[0] = op
    for p in range(table.parts.shape[1]):
        column = table.parts[op, p, 0]
        if column == _END:
            break
        digit = tokens[at] - table.parts[op, p, 2] if at < stop else -1
        if digit < 0 or digit >= table.parts[op, p, 3]:
            if table.parts[op, p, 6]:
                continue
            return -1
        if column != _LITERAL:
            row[column] = max(row[column], 0) + digit * table.parts[op, p, 4]
        at += 1
    return at


@kernel
def decode_rows(table, tokens, at, rows):  # type: ignore[no-untyped-def]
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
def _measure(table, values, offsets, sizes):  # type: ignore[no-untyped-def]
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
def _encode_batch(table, values, offsets, out_offsets, out):  # type: ignore[no-untyped-def]
    for i in range(len(offsets) - 1):
        encode_rows(table, values, offsets[i], offsets[i + 1], out, out_offsets[i])


@kernel
def _assemble(parts, part_offsets, markers, offsets, out):  # type: ignore[no-untyped-def]
    for i in range(len(offsets) - 1):
        at = offsets[i]
        for j in range(3):
            a, b = part_offsets[j][i], part_offsets[j][i + 1]
            if j > 0 and markers[j - 1] != ABSENT and (j == 2 or b > a):
                out[at] = markers[j - 1]
                at += 1
            for k in range(a, b):
                out[at] = parts[j][k]
                at += 1
        out[at] = markers[2]
