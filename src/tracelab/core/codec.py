"""Tokens from rows and back: one table-driven code path for every task and every format.

A problem, a trace and a solution are integer matrices, one row an item (operation, operands; -1
where absent). A `Format` says how each operation is written; `Codec` compiles that into arrays. Encoding and
decoding run over whole batches in compiled code. Decoding never raises: what does not parse is reported by
position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tracelab.core.formats import (
    ABSENT,
    Format,
    Table,
    compiled,
    decode_rows,
    encode_batch,
    measure,
    op_begun,
)
from tracelab.core.jit import kernel
from tracelab.core.ragged import Integers, Ragged, offsets_of

Markers = tuple[int, int, int]  # tokens of trace_open, solution_open and stop
PAD, UNK, BOS, EOS = SPECIALS = ("<|pad|>", "<|unk|>", "<|bos|>", "<|eos|>")
FILLER = UNK  # the word that means nothing, in every vocabulary


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
            put(self, name, compiled(templates, self.format.fields, token, width))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """All words; a word's token is its place."""
        return SPECIALS + self.words

    @property
    def markers(self) -> Markers:
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
        bad = measure(table, rows.values, rows.offsets, sizes)
        if bad >= 0:
            row = rows.values[bad].tolist()
            raise ValueError(f"the row {row} cannot be written: its operation or an operand has no word")
        offsets = offsets_of(sizes)
        out = np.empty(offsets[-1], np.int32)
        encode_batch(table, rows.values, rows.offsets, offsets, out)
        return Ragged(out, offsets)

    def decode(self, table: Table, tokens: Integers) -> tuple[Integers, int]:
        """Tokens -> (rows, how many tokens were read); stops before what is no row of this table."""
        rows = np.full((len(tokens), table.width), ABSENT, np.int32)
        count, read = decode_rows(table, narrow(np.asarray(tokens)), 0, rows)
        return rows[:count], int(read)

    def read_prompt(self, tokens: Integers) -> Integers:
        """A prompt's rows. ValueError names the first word that begins none."""
        rows, read = self.decode(self.prompt, tokens)
        if read < len(tokens):
            word = self.words_of(tokens[read : read + 1])
            raise ValueError(f"word {read + 1} of the prompt, {word!r}, begins no whole part of one")
        return rows

    def before_trace(self, tokens: Integers) -> int:
        """How many words of a completion stand before its trace: 1 if it begins with the word that opens one.

        A format without such a word has none; an id of no word is not it.
        """
        opens = self.markers[0]
        return int(len(tokens) > 0 and opens != ABSENT and tokens[0] == opens)

    def solution_at(self, tokens: Integers) -> int:
        """Where in a completion its solution, or the word that opens it, begins; its length if nowhere.

        A format without such a word has a solution where, after whole steps, a word begins one.
        """
        _, solution_open, stop = self.markers
        tokens = np.asarray(tokens)
        if solution_open != ABSENT:
            found = np.flatnonzero(tokens == solution_open)
            return int(found[0]) if len(found) else len(tokens)
        ends = np.flatnonzero(tokens == stop)
        last = int(ends[0]) if len(ends) else len(tokens)
        at = self.before_trace(tokens[:last])
        at += self.decode(self.trace, tokens[at:last])[1]
        while at < last and op_begun(self.solution, tokens[at]) < 0:
            at += 1
        return at if at < last else len(tokens)

    def read_completion(self, tokens: Integers) -> tuple[Integers, Integers]:
        """A completion's (trace rows, solution rows), as far as they parse; for people and pictures."""
        _, solution_open, stop = self.markers
        ends = np.flatnonzero(np.asarray(tokens) == stop)
        body = np.asarray(tokens)[: ends[0] if len(ends) else None]
        body = body[self.before_trace(body) :]
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

    @property
    def longest(self) -> int:
        """The tokens of the longest."""
        return int(self.tokens.lengths.max(initial=0))

    def take(self, rows: Integers) -> Sequences:
        """The given sequences, in the given order."""
        return Sequences(self.tokens.take(rows), self.prompt[rows], self.trace[rows])


@kernel
def _assemble(
    parts: tuple[Integers, Integers, Integers],
    part_offsets: tuple[Integers, Integers, Integers],
    markers: Markers,
    offsets: Integers,
    out: Integers,
) -> None:
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
