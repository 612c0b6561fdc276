"""Problems with anybody's completions, read to be judged: as words or token ids, from records of any names.

for rows in read_completions("completions.jsonl", task, Names(), faults):
    ...

All of a completion is kept: a word that the vocabulary lacks becomes the token UNK, words may follow the stop
word, and the stop word may be missing. A prompt must be a problem of the task's: without one nothing can be
judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tracelab.core.codec import Codec, narrow
from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Integers
from tracelab.core.types import Task
from tracelab.data.reading import (
    PIECE,
    Fault,
    Readable,
    any_tokens_of,
    note,
    prompt_length,
    readable,
    tokens_of,
)
from tracelab.data.records import records_of

TOKENS = 1 << 21  # of completions that are judged at a time, at most (or one completion)
FARTHEST = 2**31 - 1  # a token id; what is beyond is outside every vocabulary
NAMED = 8  # fields of a record that a reason names


class Names(NamedTuple):
    """What the fields of a record are called; None: prompt and completion, or else text."""

    prompt: str | None = None
    completion: str | None = None


class Asked(NamedTuple):
    """A completion to be judged: its line, its problem as it is stored, its tokens."""

    number: int
    problem: Integers
    completion: Integers


def read_completions(
    path: str | Path, task: Task, names: Names, faults: list[Fault]
) -> Iterator[list[Asked]]:
    """Completions of a file with their problems, some at a time; lines that have none go to the faults."""
    return pieces(_read(path, readable(task), names, faults))


def pieces(rows: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Rows, as many at a time as are judged at once."""
    piece, tokens = list[Asked](), 0
    for row in rows:
        piece.append(row)
        tokens += len(row.completion)
        if len(piece) == PIECE or tokens > TOKENS:
            yield piece
            piece, tokens = [], 0
    if piece:
        yield piece


def _read(path: str | Path, task: Readable, names: Names, faults: list[Fault]) -> Iterator[Asked]:
    for number, record, why_not in records_of(path):
        try:
            if why_not:
                raise ValueError(why_not)
            yield asked(task, number, *_parts(task.codec, record, names))
        except ValueError as error:
            note(faults, path, number, error)


def asked(task: Readable, number: int, prompt: Any, completion: Any) -> Asked:
    """A prompt and a completion, words or token ids each, as they are judged.

    ValueError if the prompt is no problem of the task's, or one is neither words nor token ids.
    """
    problem = task.parse(prompt_tokens(task.codec, prompt))
    return Asked(number, problem, completion_tokens(task.codec, completion))


def prompt_tokens(codec: Codec, prompt: Any) -> Integers:
    """Tokens of a prompt. ValueError names the first word that the vocabulary lacks."""
    prompt = _decoded("prompt", prompt)
    return tokens_of(codec, prompt) if isinstance(prompt, str) else _ids("prompt", prompt)


def completion_tokens(codec: Codec, completion: Any) -> Integers:
    """Tokens of a completion, whatever its words are. ValueError if it is neither words nor token ids."""
    completion = _decoded("completion", completion)
    return any_tokens_of(codec, completion) if isinstance(completion, str) else _ids("completion", completion)


def _decoded(what: str, value: Any) -> Any:
    """Bytes as the text that they are in UTF-8, anything else as it is. ValueError if they are none."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return value
    try:
        return bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the {what} is not text in UTF-8: {error.reason}") from None


def _ids(what: str, value: Any) -> Integers:
    """Token ids as int32; those beyond it stay outside every vocabulary."""
    if isinstance(value, np.ndarray) and value.ndim == 1 and np.issubdtype(value.dtype, np.integer):
        return narrow(value)
    if not isinstance(value, Sequence) or not all(type(token) is int for token in value):
        raise ValueError(f"the {what} is neither words nor a list of token ids")
    return np.array([min(max(token, ABSENT), FARTHEST) for token in value], np.int32)


def _parts(codec: Codec, record: Any, names: Names) -> tuple[Any, Any]:
    """(prompt, completion) of a record, words or token ids each."""
    if not isinstance(record, Mapping):
        raise ValueError("not an object with fields")
    prompt, completion = names.prompt or "prompt", names.completion or "completion"
    if prompt in record and completion in record:
        return record[prompt], record[completion]
    if not any(names) and isinstance(text := _decoded("text", record.get("text")), str):
        return _split(codec, text)
    if not any(names) and "tokens" in record and "prompt_length" in record:
        return _cut(record["tokens"], record["prompt_length"])
    fields = ", ".join(repr(name)[:40] for name in list(record)[:NAMED]) or "none"
    raise ValueError(f'it has no {prompt!r} with {completion!r}, nor "text"; its fields: {fields}')


def _split(codec: Codec, text: str) -> tuple[str, str]:
    """A text's prompt and completion. ValueError if no word tells where the one ends."""
    words, tokens = text.split(), any_tokens_of(codec, text)
    at = prompt_length(codec, tokens)
    begins = at == len(tokens) or tokens[at] in codec.markers
    if not begins and codec.trace.first[tokens[at]] < 0 and codec.solution.first[tokens[at]] < 0:
        raise ValueError(f"word {at + 1}, {words[at]!r}, belongs neither to a prompt nor begins a completion")
    return " ".join(words[:at]), " ".join(words[at:])


def _cut(tokens: Any, length: Any) -> tuple[Any, Any]:
    """Token ids of a whole sequence before and after the prompt's end."""
    listed = isinstance(tokens, Sequence) and not isinstance(tokens, str | bytes)
    if type(length) is not int or not listed or not 0 <= length <= len(tokens):
        raise ValueError("its prompt_length is no place in its tokens")
    return tokens[:length], tokens[length:]
