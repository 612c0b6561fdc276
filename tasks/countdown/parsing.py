"""A Countdown problem from a prompt that was read from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.codec import Codec
from tracelab.core.ragged import Integers, Ragged
from tracelab.tasks.countdown.draws import HEADER, TARGET, canonical_hash
from tracelab.tasks.countdown.text import NUMBER_ROW, TARGET_ROW, prompt_rows
from tracelab.tasks.shared.reading import alone, check_written, stored


def problem_of(codec: Codec, prompt: Integers, most: int, limit: int, use_all: bool) -> Integers:
    """The stored problem that a prompt's tokens write: of up to `most` numbers, none above the limit.

    ValueError if they write none.
    """
    rows = codec.read_prompt(prompt)
    numbers, target = (rows[rows[:, 0] == op, 1] for op in (NUMBER_ROW, TARGET_ROW))
    if len(target) != 1 or not 2 <= len(numbers) <= most:
        raise ValueError(
            f"the prompt has {len(target)} targets and {len(numbers)} numbers: one and 2 to {most} are due"
        )
    problem = stored([target[0], use_all, *numbers])
    single = alone(problem)
    check_written(codec, prompt, Ragged(*prompt_rows(single.values, single.offsets)))
    if not 1 <= min(numbers) <= max(*numbers, target[0]) <= limit or target[0] < 1:
        raise ValueError(f"a number is not from 1 to task.limit={limit}")
    if not use_all and target[0] in numbers:
        raise ValueError("the target is one of the numbers: there is nothing to do")
    return problem


def check_size(problems: Ragged, most: int, limit: int) -> None:
    """ValueError unless stored problems are of up to `most` numbers, none above the limit."""
    numbers, largest = int(problems.lengths.max(initial=0)) - HEADER, problems.values.max(initial=0)
    if numbers > most or largest > limit:
        raise ValueError(
            f"problems of {numbers} numbers, none above {largest}, are beyond task.numbers={most} or "
            f"task.limit={limit}: take the task that drew them, or raise these"
        )


def identity_of(problem: Integers) -> np.uint64:
    """The canonical hash of a stored problem."""
    hashed: np.uint64 = canonical_hash(int(problem[TARGET]), problem[HEADER:].astype(np.int64))
    return hashed


def identities_of(problems: Ragged) -> NDArray[np.uint64]:
    """(n,) canonical hashes of stored problems."""
    return np.array([identity_of(problem) for problem in problems], np.uint64)
