"""Data sets as text, one {"text": "query ... end"} a line: the format of the published mazes.

examples = read_jsonl("train_30x30.jsonl", Maze())
write_jsonl("swapped.jsonl", task, arm(task, Swapped(), examples, seed=0, split="train")[0])
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from tracelab.core.codec import Sequences
from tracelab.core.files import whole
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.core.types import Examples, Task


class Readable(Task, Protocol):
    """A task that can take its problems from files."""

    def parse(self, prompt: Integers, trace: Integers, solution: Integers) -> Examples:
        """One example from its rows. ValueError if the prompt is no problem of this task."""


def read_jsonl(path: str | Path, task: Readable) -> Examples:
    """The examples of a file, indexed by their place in it; traces may be missing or wrong.

    ValueError with the line's number if a line is not of the task's format and size.
    """
    parts = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                parts.append(_parse(task, _text_of(line)))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    if not parts:
        raise ValueError(f"{path} is empty")
    return replace(Examples.concat(parts), index=np.arange(len(parts)))


def write_jsonl(path: str | Path, task: Task, sequences: Sequences) -> None:
    """Write sequences as text, all of them or none."""
    with whole(Path(path)) as partial, partial.open("w", encoding="utf-8") as file:
        for tokens in sequences.tokens:
            text = task.codec.words_of(tokens)
            file.write(json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")) + "\n")


def _text_of(line: str) -> str:
    record = json.loads(line)
    text = record.get("text") if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise ValueError('not of the form {"text": "..."}')
    return text


def _parse(task: Readable, text: str) -> Examples:
    """Prompt, trace and solution of one line, which must be whole."""
    codec, tokens = task.codec, task.codec.tokens_of(text)
    trace_open, solution_open, stop = codec.markers
    prompt, at = codec.decode(codec.prompt, tokens)
    at += bool(trace_open != ABSENT and at < len(tokens) and tokens[at] == trace_open)
    trace, read = codec.decode(codec.trace, tokens[at:])
    at += read
    if solution_open != ABSENT:
        _expect(text, tokens, at, solution_open, codec.format.solution_open)
        at += 1
    solution, read = codec.decode(codec.solution, tokens[at:])
    _expect(text, tokens, at + read, stop, codec.format.stop)
    if len(tokens) > at + read + 1:
        raise ValueError(f"{len(tokens) - at - read - 1} words follow {codec.format.stop!r}")
    return task.parse(prompt, trace, solution)


def _expect(text: str, tokens: Integers, at: int, token: int, word: str) -> None:
    if at >= len(tokens):
        raise ValueError(f"it ends where {word!r} should stand")
    if tokens[at] != token:
        raise ValueError(f"word {at + 1} is {text.split()[at]!r} where {word!r} or another step should stand")
