"""Another valid trace of the same problem, chosen by how likely a trained model, the student, finds it.

A search has ties: which of the states of least priority is closed, in which order successors are created,
which open variable is decided on and with what value, which rule is applied first. Each way to break them
gives another trace, as valid as the reference's. Some of them are drawn, those that the verifier calls
strictly valid are kept (they lead to the problem's own solution), and one is written: the likeliest, a random
one, or the least likely. So what traces are correct stays, and how they are distributed changes.

Whole traces are compared, not steps: to choose step by step, the student would have to read each step that
could come next. A longer trace has more to choose from, and the best of a few is not far from the mean:
`candidates` says how far one goes.

    python -m tracelab.train trace=chosen trace.by=likeliest trace.student=runs/...
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tracelab.core.knobs import one_of
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.settings import Count
from tracelab.core.types import Examples, Task
from tracelab.traces._asking import Asking, per_token, read_by
from tracelab.traces.base import Keys, Treated, from_rows, judged, reference, refuse_invalid

BY = ("likeliest", "random", "unlikeliest")


@dataclass(frozen=True)
class Chosen(Asking):
    """Write one of several strictly valid traces.

    by: which, one of BY; likelihood is the mean log-probability per token, so that length does not decide.
    candidates: of how many one is chosen at most, the reference's own among them. random needs no student; if
    one is named, the data card has its likelihoods all the same.
    """

    by: str = "random"
    candidates: Count = 8

    promise: ClassVar[str] = "valid"

    def __post_init__(self) -> None:
        one_of("trace.by", self.by, BY)

    @property
    def needs_student(self) -> bool:
        """Chance needs none."""
        return self.by != "random"

    def check(self, task: Task) -> None:
        """ValueError if the task has no other traces, or the student that is needed is missing."""
        if not hasattr(task, "alternatives"):
            raise ValueError(
                f"trace=chosen can't be had with task {task.name}, which has no `alternatives`: take "
                "trace=correct with another task.tie_break"
            )
        super().check(task)

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """The best of each problem's candidates, found one draw after the other. ValueError if a reference's
        trace, which is one of them, is not strictly valid.
        """
        self.check(task)
        refuse_invalid(task, examples, judged(task, examples, reference(task, examples)), "reference")
        offers: Any = task
        rows, every = examples.trace, np.arange(len(examples))
        best, valid = self._marks(task, examples, rows, every, keys, 0), 0
        for draw in range(1, self.candidates):
            other = offers.alternatives(examples, keys + np.uint64(draw))
            which = np.flatnonzero(task.judge_traces(examples, other) & writable(task, other))
            marks = self._marks(task, examples, other, which, keys, draw)
            better = which[marks > best[which]]
            rows, valid = rows.replace(better, other.take(better)), valid + len(which)
            best[which] = np.maximum(best[which], marks)
        treated = from_rows(task, examples, rows)
        return replace(treated, measured=self._measured(task, examples, treated, valid))

    def _marks(
        self, task: Task, examples: Examples, traces: Ragged, which: Integers, keys: Keys, draw: int
    ) -> NDArray[np.float64]:
        """(k,) what a candidate of each of these problems is chosen by: the largest is taken."""
        if self.by == "random":
            draws = [np.random.Generator(np.random.PCG64([int(key), draw])).random() for key in keys[which]]
            return np.array(draws, np.float64)
        marks = np.zeros(len(which))
        if len(which):
            marks = per_token(self._read(task, examples.take(which), traces.take(which)))
        return marks if self.by == "likeliest" else -marks

    def _read(self, task: Task, examples: Examples, traces: Ragged) -> Ragged:
        """The student's log-probabilities of traces (rows)."""
        assert self.asked is not None, "it was checked"
        return read_by(self.asked, task, examples, task.codec.encode(task.codec.trace, traces))[0]

    def _measured(self, task: Task, examples: Examples, treated: Treated, valid: int) -> dict[str, float]:
        """What the data card is told."""
        assert treated.rows is not None, "it is made of steps"
        pairs = zip(treated.rows, examples.trace, strict=True)
        other = sum(not np.array_equal(ours, reference) for ours, reference in pairs)
        draws = max(len(examples) * (self.candidates - 1), 1)
        found = {"traces not the reference's": other / len(examples), "draws strictly valid": valid / draws}
        if self.asked is not None:
            found["logprob per token"] = float(self._read(task, examples, treated.rows).values.mean())
            found["reference's"] = float(self._read(task, examples, examples.trace).values.mean())
        return found


def writable(task: Task, traces: Ragged) -> NDArray[np.bool_]:
    """(n,): has the vocabulary words for all that each trace (rows) names?"""
    sizes = np.array([column.size for column in task.columns])
    owner = np.repeat(np.arange(len(traces)), traces.lengths)
    fits = np.ones(len(traces), np.bool_)
    fits[owner[(traces.values >= sizes).any(axis=1)]] = False
    return fits
