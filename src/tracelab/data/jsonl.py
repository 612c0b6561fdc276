"""Data sets as text, one {"text": "query ... end"} a line: the format of the published mazes.

read = read_jsonl("train_30x30.jsonl", Maze())
write_jsonl("again.jsonl", Maze(), read.sequences)

A prompt is parsed, and its problem's reference search made anew by the task's solver. Trace and solution stay
the tokens that they are in the file, for the verifier to judge: they may be damaged, or missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracelab.core.codec import Codec, Sequences
from tracelab.core.files import whole
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task
from tracelab.data.lines import lines_of
from tracelab.data.reading import (
    PIECE,
    Fault,
    Readable,
    check_whole,
    note,
    prompt_length,
    readable,
    solved,
    tokens_of,
    told,
)


class Read(NamedTuple):
    """What was read. examples: the problems, with the solver's own search; sequences: the file's tokens.

    line: (n,) where each stood; faults: the lines that were left out, ascending.
    """

    examples: Examples
    sequences: Sequences
    line: Integers
    faults: list[Fault]


class Parts(NamedTuple):
    """A line: its number, its problem, its tokens, and how many of these are the prompt and the trace."""

    number: int
    problem: Integers
    tokens: Integers
    prompt: int
    trace: int


def read_jsonl(path: str | Path, task: Task) -> Read:
    """The problems of a file with its traces and solutions; lines that cannot be read are left out and named.

    ValueError if none can be read, or if the task has no problems such as these.
    """
    reader, faults = readable(task), list[Fault]()
    pieces: list[tuple[Examples, list[Parts]]] = []
    for lines in _pieces(path, reader, faults):
        pieces += solved(reader, lines, lambda number, reason: note(faults, path, number, reason))
    faults.sort(key=lambda left_out: left_out.line)
    if not pieces:
        raise ValueError(
            f"{path}: none of its lines could be read\n{told(faults)}" if faults else f"{path} is empty"
        )
    examples = Examples.concat([part for part, _ in pieces])
    lines = [line for _, parts in pieces for line in parts]
    check_whole(path, task, examples)
    columns = {**vars(examples), "index": np.arange(len(examples))}
    return Read(Examples(**columns), _sequences(lines), np.array([line.number for line in lines]), faults)


def write_jsonl(path: str | Path, task: Task, sequences: Sequences) -> None:
    """Write sequences as text, all of them or none."""
    with whole(Path(path)) as partial, partial.open("w", encoding="utf-8") as file:
        for tokens in sequences.tokens:
            text = task.codec.words_of(tokens)
            file.write(json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")) + "\n")


def _pieces(path: str | Path, task: Readable, faults: list[Fault]) -> Iterator[list[Parts]]:
    """Lines that hold a problem of the task, some at a time; the others go to the faults."""
    lines: list[Parts] = []
    for number, line, no_text in lines_of(path):
        if no_text:
            note(faults, path, number, no_text)
            continue
        try:
            lines.append(_parts(task, number, tokens_of(task.codec, _text_of(line))))
        except (ValueError, RecursionError) as error:
            note(faults, path, number, error)
        if len(lines) == PIECE:
            yield lines
            lines = []
    yield lines


def _text_of(line: str) -> str:
    record = json.loads(line)
    text = record.get("text") if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise ValueError('not of the form {"text": "..."}')
    return text


def _parts(task: Readable, number: int, tokens: Integers) -> Parts:
    """Where prompt, trace and solution are; the prompt's problem. ValueError unless the line is whole."""
    codec = task.codec
    prompt, stop = prompt_length(codec, tokens), codec.stop
    problem = task.parse(tokens[:prompt])
    (stops,) = np.nonzero(tokens[prompt:] == stop)
    if len(stops) == 0:
        raise ValueError(f"it ends where {codec.format.stop!r} should stand")
    follow = len(tokens) - prompt - int(stops[0]) - 1
    if follow:
        raise ValueError(f"{follow} words follow {codec.format.stop!r}")
    return Parts(number, problem, tokens, prompt, _trace_length(codec, tokens[prompt:]))


def _trace_length(codec: Codec, completion: Integers) -> int:
    """How many tokens stand before the solution, the trace's opening word included."""
    _, solution_open, _ = codec.markers
    begins = completion == solution_open if solution_open != ABSENT else codec.solution.first[completion] >= 0
    if begins.any():
        return int(np.argmax(begins))
    if solution_open != ABSENT:
        raise ValueError(f"it has no {codec.format.solution_open!r}")
    return len(completion) - 1


def _sequences(lines: list[Parts]) -> Sequences:
    tokens = Ragged.of([line.tokens for line in lines])
    prompt, trace = (
        np.array([getattr(line, part) for line in lines], np.int32) for part in ("prompt", "trace")
    )
    return Sequences(tokens, prompt, trace)
