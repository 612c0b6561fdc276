"""What all readers of files share: words of other dialects, problems that are solved anew, faults by line.

tokens = tokens_of(task.codec, "query start 0 0 ...")
for examples, rows in solved(task, rows, lambda number, reason: print(number, reason)):
    ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import BOS, EOS, UNK, Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.terminal import counted
from tracelab.core.types import Examples, Task

PIECE = 1024  # problems that are solved at a time
ALIASES = {"bos": BOS, "eos": EOS}  # Searchformer's words
SHOWN = 160  # characters of a reason
MOST_FAULTS = 1_000_000  # lines of a file that are noted where hardly any can be read


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


class Row(Protocol):
    """What was read of a line: its number, and the problem as it is stored."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def problem(self) -> Integers: ...  # noqa: D102


R = TypeVar("R", bound=Row)


def readable(task: Task) -> Readable:
    """The task. ValueError if it cannot read its problems."""
    if not hasattr(task, "parse"):
        raise ValueError(f"task {task.name} cannot be read from files: it has no `parse` (see `Task`)")
    return cast(Readable, task)


def fault(path: str | Path, number: int, reason: object) -> Fault:
    """A fault whose reason is one short line."""
    text = " ".join(str(reason).split())
    return Fault(str(path), number, text if len(text) <= SHOWN else text[:SHOWN] + "...")


def note(faults: list[Fault], path: str | Path, number: int, reason: object) -> None:
    """Add a fault. ValueError where they are a million, and most of the lines: those pack into few bytes."""
    faults.append(fault(path, number, reason))
    if len(faults) > MOST_FAULTS and 2 * len(faults) > number:
        raise ValueError(f"{path}: most of its lines can't be read\n{told(faults)}")


def told(faults: Sequence[Fault], first: int = 3) -> str:
    """Faults for people: how many of each kind, whatever words and numbers they name, and the first lines."""
    kinds = Counter(re.sub(r"'[^']*'|\d+", "...", fault.reason.partition(":")[0]) for fault in faults)
    common = kinds.most_common()
    lines = [f"{counted(len(faults), 'line')} could not be read"]
    lines += [f"  {counted(count, 'time')}: {kind}" for kind, count in common[:first]]
    lines += [f"  {counted(len(common) - first, 'more reason')}"] * (len(common) > first)
    return "\n".join([*lines, *(f"  {fault}" for fault in faults[:first])])


def tokens_of(codec: Codec, text: str) -> NDArray[np.int32]:
    """Tokens of words, those of other dialects among them. ValueError names the first unknown word."""
    return codec.tokens_of(" ".join(_ours(codec, text)))


def any_tokens_of(codec: Codec, text: str) -> NDArray[np.int32]:
    """Tokens of words; an unknown word is UNK."""
    known, unknown = codec.token, codec.token[UNK]
    return np.array([known.get(word, unknown) for word in _ours(codec, text)], np.int32)


def _ours(codec: Codec, text: str) -> Iterable[str]:
    known = codec.token
    return (ALIASES[word] if word in ALIASES and word not in known else word for word in text.split())


def prompt_length(codec: Codec, tokens: Integers) -> int:
    """How many tokens stand before the first opening word; if there is none, how many parse as a prompt."""
    trace_open, solution_open, _ = codec.markers
    (opens,) = np.nonzero(np.isin(tokens, [trace_open, solution_open]))
    return int(opens[0]) if len(opens) else codec.decode(codec.prompt, tokens)[1]


def solved(
    task: Readable, rows: list[R], blame: Callable[[int, object], None]
) -> list[tuple[Examples, list[R]]]:
    """Rows with their problems solved; where one of several cannot be, each half by itself."""
    if not rows:
        return []
    try:
        examples = task.solved(Ragged.of([row.problem for row in rows], np.int16))
        task.codec.encode(task.codec.trace, examples.trace)
        return [(examples, rows)]
    except ValueError as error:
        if len(rows) == 1:
            blame(rows[0].number, error)
            return []
    half = len(rows) // 2
    return solved(task, rows[:half], blame) + solved(task, rows[half:], blame)


def check_whole(path: str | Path, task: Task, examples: Examples) -> None:
    """ValueError if the task says that it cannot have problems such as these, each seen once."""
    once = np.unique(examples.identity, return_index=True)[1]
    try:
        getattr(task, "check_read", lambda problems: None)(examples.problem.take(once))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
