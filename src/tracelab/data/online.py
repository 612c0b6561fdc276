"""A stream that never repeats an index: new problems for every chunk, treated within the chunk.

loader = Loader(stream(task, Correct(), seed=0, split="train"), batch_tokens=4096, context=1024)
"""

from __future__ import annotations

from collections.abc import Callable

from tracelab.core.codec import Sequences
from tracelab.core.types import Task
from tracelab.data.frozen import arm, drawn
from tracelab.traces.base import Treatment


def stream(
    task: Task, treatment: Treatment, *, seed: int, split: str, chunk_size: int = 4096
) -> Callable[[int], Sequences]:
    """A function k -> the k-th `chunk_size` problems of the stream that frozen sets begin with.

    Not deduplicated: in a small space of problems some come again by chance. Donors are from the chunk.
    """

    def chunk(k: int) -> Sequences:
        examples = drawn(task, seed, split, "problem", k * chunk_size, (k + 1) * chunk_size)
        return arm(task, treatment, examples, seed, split, cache=False)[0]

    return chunk
