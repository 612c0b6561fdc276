"""Data sets as text, one {"text": "query ... end"} a line: the format of the published mazes.

read = read_jsonl("train_30x30.jsonl", Maze())
write_jsonl("again.jsonl", Maze(), read.sequences)

A prompt is parsed, and its problem's reference search made anew by the task's solver. Trace and solution stay
the tokens that they are in the file, for the verifier to judge: they may be damaged, or missing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import numpy as np

from tracelab.core.codec import BOS, EOS, Codec, Sequences
from tracelab.core.files import whole
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.terminal import counted
from tracelab.core.types import Examples, Task
from tracelab.data.lines import lines_of

PIECE = 1024  # problems that are solved at a time
ALIASES = {"bos": BOS, "eos": EOS}  # Searchformer's words
SHOWN = 160  # characters of a reason


class Readable(Task, Protocol):
    """A task that can take its problems from files."""

    def parse(self, prompt: Integers) -> Integers:
        """The stored problem that a prompt's tokens write. ValueError if they write none of this task."""

    def solved(self, problems: Ragged) -> Examples:
        """Stored problems with their reference searches. ValueError if one has none within the limits."""


class Fault(NamedTuple):
    """A line that was left out, and why."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


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
    reader, faults = _readable(task), list[Fault]()
    pieces: list[tuple[Examples, list[Parts]]] = []
    for lines in _pieces(path, reader, faults):
        pieces += _solved(reader, lines, lambda number, reason: faults.append(_fault(path, number, reason)))
    faults.sort(key=lambda fault: fault.line)
    if not pieces:
        raise ValueError(
            f"{path}: none of its lines could be read\n{told(faults)}" if faults else f"{path} is empty"
        )
    examples = Examples.concat([part for part, _ in pieces])
    lines = [line for _, parts in pieces for line in parts]
    _check_whole(path, task, examples)
    columns = {**vars(examples), "index": np.arange(len(examples))}
    return Read(Examples(**columns), _sequences(lines), np.array([line.number for line in lines]), faults)


def told(faults: Sequence[Fault], first: int = 3) -> str:
    """Faults for people: how many of each kind, whatever words and numbers they name, and the first lines."""
    kinds = Counter(re.sub(r"'[^']*'|\d+", "...", fault.reason.partition(":")[0]) for fault in faults)
    common = kinds.most_common()
    lines = [f"{counted(len(faults), 'line')} could not be read"]
    lines += [f"  {counted(count, 'time')}: {kind}" for kind, count in common[:first]]
    lines += [f"  {counted(len(common) - first, 'more reason')}"] * (len(common) > first)
    return "\n".join([*lines, *(f"  {fault}" for fault in faults[:first])])


def write_jsonl(path: str | Path, task: Task, sequences: Sequences) -> None:
    """Write sequences as text, all of them or none."""
    with whole(Path(path)) as partial, partial.open("w", encoding="utf-8") as file:
        for tokens in sequences.tokens:
            text = task.codec.words_of(tokens)
            file.write(json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")) + "\n")


def _readable(task: Task) -> Readable:
    if not hasattr(task, "parse"):
        raise ValueError(f"task {task.name} cannot be read from files: it has no `parse` (see `Task`)")
    return cast(Readable, task)


def _check_whole(path: str | Path, task: Task, examples: Examples) -> None:
    """ValueError if the task says that it cannot have problems such as these, each seen once."""
    once = np.unique(examples.identity, return_index=True)[1]
    try:
        getattr(task, "check_read", lambda problems: None)(examples.problem.take(once))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _fault(path: str | Path, number: int, reason: object) -> Fault:
    text = str(reason)
    return Fault(str(path), number, text if len(text) <= SHOWN else text[:SHOWN] + "...")


def _pieces(path: str | Path, task: Readable, faults: list[Fault]) -> Iterator[list[Parts]]:
    """Lines that hold a problem of the task, some at a time; the others go to the faults."""
    lines: list[Parts] = []
    for number, line, fault in lines_of(path):
        if fault:
            faults.append(_fault(path, number, fault))
            continue
        try:
            lines.append(_parts(task, number, _tokens_of(task.codec, _text_of(line))))
        except (ValueError, RecursionError) as error:
            faults.append(_fault(path, number, error))
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


def _tokens_of(codec: Codec, text: str) -> Integers:
    """Tokens of words, those of other dialects among them."""
    known = codec.token
    return codec.tokens_of(
        " ".join(ALIASES[word] if word in ALIASES and word not in known else word for word in text.split())
    )


def _parts(task: Readable, number: int, tokens: Integers) -> Parts:
    """Where prompt, trace and solution are; the prompt's problem. ValueError unless the line is whole."""
    codec = task.codec
    trace_open, solution_open, stop = codec.markers
    (opens,) = np.nonzero(np.isin(tokens, [trace_open, solution_open]))
    prompt = int(opens[0]) if len(opens) else codec.decode(codec.prompt, tokens)[1]
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


def _solved(
    task: Readable, lines: list[Parts], blame: Callable[[int, object], None]
) -> list[tuple[Examples, list[Parts]]]:
    """Lines with their problems solved; where one of several cannot be, each half by itself."""
    if not lines:
        return []
    try:
        examples = task.solved(Ragged.of([line.problem for line in lines], np.int16))
        task.codec.encode(task.codec.trace, examples.trace)
        return [(examples, lines)]
    except ValueError as error:
        if len(lines) == 1:
            blame(lines[0].number, error)
            return []
    half = len(lines) // 2
    return _solved(task, lines[:half], blame) + _solved(task, lines[half:], blame)


def _sequences(lines: list[Parts]) -> Sequences:
    tokens = Ragged.of([line.tokens for line in lines])
    prompt, trace = (
        np.array([getattr(line, part) for line in lines], np.int32) for part in ("prompt", "trace")
    )
    return Sequences(tokens, prompt, trace)
