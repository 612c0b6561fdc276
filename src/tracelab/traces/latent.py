"""Latents in place of the trace: places whose input is no word, but what was computed at the place before.

Coconut (Hao et al. 2024, arXiv 2412.06769): the trace goes away in stages. At each a few more of its first
steps are left out and a few more latents stand behind the prompt; at the last no word of it is left. Latents
are read, not written: they have no loss, and a model is given them behind a prompt when it is tested.

    python -m tracelab.train trace=latent trace.feedback=recycled

What a latent's input is, is the model's part: `models.latent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers, Random, Words
from tracelab.core.jit import kernel
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Ragged, offsets_of
from tracelab.core.rng import below, uniform
from tracelab.core.settings import Count, Number, Positive, Share
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Keys, Latents, Treated, Treatment, Turn, from_rows

FEEDBACKS = ("recycled", "projected", "pause", "pause_sequential", "random", "none")


@dataclass(frozen=True)
class Latent(Treatment):
    """Replace the trace by latents, step after step.

    feedback: what a latent's input is, see `models.latent`; none: there are no latents, steps just go away.
    scale: of that input at first, as a share of a hidden state's size (recycled, projected); None: a word's
    size. stages: at stage s of so many, `latents` * s latents stand for the first `steps` * s steps; one more
    stage has no steps left. steps: None: the same share of a trace's steps at each stage. curriculum: share
    of the budget that all stages but the last take, each as much. mix: share of examples that are of an
    earlier stage, any of them. anew: does the optimiser begin anew with each stage? stage: this one alone;
    None: all in turn, and the last is what is validated and tested.
    """

    feedback: str = "recycled"
    scale: Positive | None = None
    stages: Count = 6
    latents: Count = 1
    steps: Count | None = None
    curriculum: Share = 0.6
    mix: Share = 0.1
    anew: bool = False
    stage: Number | None = None

    promise: ClassVar[str] = ""
    random: ClassVar[bool] = False  # but for what is mixed into a single stage

    def __post_init__(self) -> None:
        one_of("trace.feedback", self.feedback, FEEDBACKS)
        if self.stage is not None and self.stage > self.last:
            raise ValueError(
                f"trace.stage={self.stage}: the last stage of trace.stages={self.stages} is {self.last}, at "
                "which no step is left"
            )

    @property
    def last(self) -> int:
        """The stage at which no step is left."""
        return self.stages + 1

    @property
    def thinks(self) -> Latents | None:
        """Latents behind each prompt when the model is tested."""
        count = self._latents(self.last if self.stage is None else self.stage)
        return Latents(count, self.feedback, self.scale) if count else None

    @property
    def writes(self) -> bool:
        """Not at the last stage."""
        return self.stage is not None and self.stage < self.last

    def in_turn(self) -> Sequence[Turn]:
        """The stages, with earlier ones mixed in."""
        if self.stage is not None:
            return ()
        each, first = self.curriculum / self.last, 0 if self.curriculum else self.last
        shares = [*[each] * (self.last - first), 1.0 - self.curriculum]
        return [Turn(share, replace(self, stage=first + k), self.anew) for k, share in enumerate(shares)]

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Traces without their first steps, and as many latents as stand for these."""
        stage = np.full(len(examples), self.last if self.stage is None else self.stage, np.int64)
        if self.stage is not None:
            _mix(keys, float(self.mix), np.empty(1, np.uint64), stage)
        lengths = examples.trace.lengths
        gone = self._gone(stage, lengths)
        treated = from_rows(task, examples, examples.trace.between(gone, lengths - gone))
        counts = np.array([self._latents(s) for s in range(self.last + 1)])[stage]
        token = len(task.codec.vocabulary)  # no word's
        lead = Ragged(np.full(counts.sum(), token, np.int32), offsets_of(counts))
        return replace(treated, lead=lead)

    def _gone(self, stage: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,): how many of a trace's steps are left out at its stage."""
        some = -(-lengths * stage // self.last) if self.steps is None else self.steps * stage
        gone: NDArray[np.int64] = np.where(stage == self.last, lengths, np.minimum(some, lengths))
        return gone

    def _latents(self, stage: int) -> int:
        """How many there are at a stage."""
        return 0 if self.feedback == "none" else self.latents * min(stage, self.stages)


@kernel
def _mix(keys: Words, share: float, random: Random, stage: Integers) -> None:
    """Give a share of examples an earlier stage, each as likely: of a frozen set, the same at every stage."""
    for i in range(len(keys)):
        random[0] = keys[i]
        if uniform(random) < share:
            stage[i] = below(random, stage[i])
