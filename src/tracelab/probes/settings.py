"""What commands about a model's inside share: knobs of what is written, and of what is fitted to it."""

from __future__ import annotations

from typing import Literal

from tracelab.core.settings import Count, Place, Positive, Seed, Temperature, Threads, Weight, settings
from tracelab.runs.settings import OnDevices, no_copies


@settings
class Fit:
    """The completions that something is fitted to: of problems of the validation split."""

    problems: Count
    samples: Count
    temperature: Temperature

    def __post_init__(self) -> None:
        no_copies("fit.", self.samples, self.temperature)


@settings
class Fitting:
    """How transcoders are trained (`diffing`).

    steps: of Adam, with `batch_tokens` each; learning_rate: warmed up, then half a cosine to zero; bridging,
    reconstruction, sparsity: weights of the loss's terms.
    """

    steps: Count = 1000
    batch_tokens: Count = 4096
    learning_rate: Positive = 1e-3
    bridging: Weight = 2.0
    reconstruction: Weight = 1.0
    sparsity: Weight = 1e-3


@settings
class Grading:
    """How new problems are graded by a run's model: the knobs of `tracelab.grade`."""

    run: Place
    problems: Count
    bins: Count
    samples: Count
    temperature: Temperature
    complexity: str | None = None
    seed: Seed = 0
    output: Place | None = None
    batch_size: Count = 256
    checkpoint: Literal["last", "best"] = "last"
    trainer: OnDevices = OnDevices()
    threads: Threads | None = None
