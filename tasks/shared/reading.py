"""What the tasks' parsers share: a prompt that was read must be the one that its problem is written with."""

from __future__ import annotations

import numpy as np

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged


def alone(problem: Integers) -> Ragged:
    """One problem, or the rows of one, as a batch."""
    return Ragged(problem, np.array([0, len(problem)]))


def check_written(codec: Codec, prompt: Integers, rows: Ragged) -> None:
    """ValueError unless the rows, those of one problem's prompt, are written as these tokens."""
    ours = codec.encode(codec.prompt, rows).values
    shared = min(len(ours), len(prompt))
    (others,) = np.nonzero(ours[:shared] != np.asarray(prompt)[:shared])
    if len(others) == 0 and len(ours) == len(prompt):
        return
    at = int(others[0]) if len(others) else shared
    theirs, wanted = (codec.words_of(tokens[at : at + 1]) or "nothing" for tokens in (prompt, ours))
    raise ValueError(
        f"word {at + 1} of the prompt is {theirs!r} where {wanted!r} is due: this problem is not written so"
    )


def stored(numbers: list[int] | Integers) -> Integers:
    """A problem as it is stored. ValueError if a number is too large for that."""
    problem = np.asarray(numbers, np.int64)
    if np.abs(problem).max(initial=0) > np.iinfo(np.int16).max:
        raise ValueError(f"the number {np.abs(problem).max()} is too large")
    return problem.astype(np.int16)
