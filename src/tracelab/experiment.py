"""The data of an experiment, from its config: training stream, validation and test sets, data card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig

from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task


TestSets = Mapping[str, tuple[Task, Examples]]


def build_task(config: DictConfig) -> Task:
    """The task as configured."""
    task: Task = instantiate(config.task, _convert_="all")
    return task


def reference_lengths(task: Task, examples: Examples) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n,) tokens of each reference completion, trace included."""
    codec = task.codec
    nothing = Ragged(np.empty(0, np.int32), np.zeros(len(examples) + 1, np.int64))
    parts = (
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )
    lengths: np.ndarray[Any, np.dtype[np.int64]] = codec.assemble(nothing, *parts).tokens.lengths
    return lengths
