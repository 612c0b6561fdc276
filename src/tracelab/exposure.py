"""Which problems a run was trained on, and how often: as its loader took them, drawn again.

known = seen(run.config, task, load_progress(run.checkpoint())["examples"])
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from tracelab import experiment
from tracelab.core.types import Examples, Task
from tracelab.data import frozen
from tracelab.data.batching import layout_of


@dataclass(frozen=True)
class Seen:
    """The n places in the stream of training problems that a run was trained on, ascending.

    index: the places; identity: canonical hashes of their problems; content: hashes of these as they are
    written, so that a mirrored one is another; times: how often each was trained on, from whatever place.
    """

    index: NDArray[np.int64]
    identity: NDArray[np.uint64]
    content: NDArray[np.uint64]
    times: NDArray[np.int64]


def seen(config: DictConfig, task: Task, count: int) -> Seen:
    """Of the first `count` sequences that a run of this config trains on. (With several processes a pass may
    leave out the last batches of a chunk: these are counted all the same.)
    """
    size, problems = config.data.train_size, experiment.training_problems(config, task)
    passes, rest = divmod(count, size)
    partly = problems(passes)
    treated = frozen.arm(task, experiment.build_treatment(config), partly, config.seed, "train")[0]
    layout = layout_of(config.data.batch_tokens, config.data.get("packing"))
    plan = layout.plan(treated.tokens.lengths, config.seed, passes)
    once = np.bincount(np.concatenate([batch.values for batch in plan])[:rest], minlength=size)
    if config.data.online:
        parts = [_listed(problems(k), np.ones(size, np.int64)) for k in range(passes)]
        parts.append(_listed(partly, once))
    else:
        parts = [_listed(partly, passes + once)]
    index, identity, content, times = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    _, same = np.unique(content, return_inverse=True)
    all_times = np.bincount(same, times).astype(np.int64)[same]
    rows = np.flatnonzero(times)
    return Seen(index[rows], identity[rows], content[rows], all_times[rows])


def _listed(examples: Examples, times: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    return examples.index, examples.identity, contents(examples), times


def contents(examples: Examples) -> NDArray[np.uint64]:
    """(n,): equal where problems are the same to the letter."""
    rows = (row.astype(np.int64).tobytes() for row in examples.problem)
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) for row in rows], np.uint64)
