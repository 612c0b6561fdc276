"""The trace's own tokens in random order: its bag of words without its order.

`share` below 1 shuffles only the tokens of a trace's first steps and leaves the rest as it is, as in *Correct
Answers, Invalid Traces* (arXiv 2609.38107). For whole steps in random order see `corrupted` with kind=order.

    python -m tracelab.train trace=shuffled trace.share=0.1
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
    """Permute the tokens within each trace.

    share: of a trace's steps, counted from its beginning and rounded up, whose tokens are permuted.
    """

    share: float = 1.0

    promise: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"trace.share={self.share} is a share of the steps: above 0, at most 1")

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Traces with the tokens of their first steps permuted uniformly."""
        trace, steps = reference(task, examples), examples.trace.lengths
        count = np.ceil(self.share * steps - 1e-9).astype(np.int64)  # 0.1 * 70 is a little more than 7
        first = examples.trace.between(np.zeros_like(steps), count)
        ends = trace.offsets[:-1] + task.codec.encode(task.codec.trace, first).lengths
        _shuffle_each(trace.values, trace.offsets[:-1], ends, keys, np.empty(1, np.uint64))
        return from_tokens(task, examples, Ragged(trace.values, trace.offsets))


@kernel
def _shuffle_each(tokens: Integers, starts: Integers, ends: Integers, keys: Words, random: Random) -> None:
    for i in range(len(keys)):
        random[0] = keys[i]
        shuffle(random, tokens[starts[i] : ends[i]])
