"""Treatments that ask a trained model, the student: which run it is of, and what is asked.

`runs.build` gives a treatment its student, for no model can be loaded here.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Treatment


class Student(Protocol):
    """A trained model as treatments see it. Prompts and completions are tokens of its vocabulary."""

    def check(self, task: Task) -> None:
        """ValueError if it does not know the task's words."""

    def logprobs(self, prompts: Ragged, completions: Ragged) -> Ragged:
        """Log-probabilities of completions' tokens, in nats. ValueError if they exceed its context."""
        ...

    def rewrite(
        self, prompts: Ragged, opens: Ragged, proposed: Ragged, threshold: float, words: Sequence[int]
    ) -> tuple[Ragged, Ragged]:
        """-> proposed tokens, with its likeliest of `words` for each that is less likely than the threshold
        behind what was written before; and which are its own. opens: what stands before those proposed.
        """
        ...


@dataclass(frozen=True)
class Asking(Treatment):
    """A treatment with a student. student: the folder of a run, whose last weights it has, or None."""

    student: str | None = None

    def given(self, student: Student) -> Self:
        """The same treatment with its student."""
        told = copy(self)
        object.__setattr__(told, "_student", student)
        return told

    @property
    def asked(self) -> Student | None:
        """The student, if there is one. ValueError if it was named, but not given."""
        asked: Student | None = getattr(self, "_student", None)
        if asked is None and self.student is not None:
            raise ValueError(f"trace.student={self.student} is not loaded: build it with `build_treatment`")
        return asked

    @property
    def needs_student(self) -> bool:
        """Can nothing be treated without one?"""
        return True

    @property
    def lacks(self) -> str:
        """The student, where one is needed and none was named."""
        return "trace.student=<run folder>" if self.needs_student and self.asked is None else ""

    def check(self, task: Task) -> None:
        """ValueError if there is no student where one is needed, or it does not know the task's words."""
        if self.lacks:
            raise ValueError(f"{type(self).__name__.lower()} traces need {self.lacks}, whose model is asked")
        if self.asked is not None:
            self.asked.check(task)


def between_words(task: Task, traces: Ragged) -> Ragged:
    """Traces (tokens) with the words that open them and the solution, where the format has such words: so how
    a trace ends counts as a part of it.
    """
    opens, closes, _ = ([] if word == ABSENT else [word] for word in task.codec.markers)
    return Ragged.of([[*opens, *row, *closes] for row in traces])


def read_by(student: Student, task: Task, examples: Examples, traces: Ragged) -> tuple[Ragged, Ragged]:
    """Log-probabilities of traces (tokens) behind their prompts, and the tokens that they are of."""
    whole = between_words(task, traces)
    return student.logprobs(task.prompts(examples), whole), whole


def per_token(logprobs: Ragged) -> NDArray[np.float64]:
    """(n,) mean log-probabilities of rows, none of which is empty."""
    means: NDArray[np.float64] = np.add.reduceat(logprobs.values, logprobs.offsets[:-1]) / logprobs.lengths
    return means
