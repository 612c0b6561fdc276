"""The trace's own tokens in random order: its bag of words without its order.

For whole steps in random order see `corrupted` with kind=order.

    python -m tracelab.train trace=shuffled
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel
from tracelab.core.ragged import Ragged
from tracelab.core.rng import shuffle
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Treated, Treatment, from_tokens, reference


@dataclass(frozen=True)
class Shuffled(Treatment):
    """Permute the tokens within each trace."""

    promise: ClassVar[str] = ""

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Traces with their tokens permuted uniformly."""
        trace = reference(task, examples)
        _shuffle_each(trace.values, trace.offsets, keys, np.empty(1, np.uint64))
        return from_tokens(task, examples, Ragged(trace.values, trace.offsets))


@kernel
def _shuffle_each(tokens: Integers, offsets: Integers, keys: Words, random: Random) -> None:
    for i in range(len(keys)):
        random[0] = keys[i]
        shuffle(random, tokens[offsets[i] : offsets[i + 1]])
