"""What a treatment is: a function of the reference trace, and of nothing else that is trained on.

All arms of an experiment share their problems; a treatment replaces the traces. It is given the
whole batch, so that problems can exchange traces, and one random key per problem. It never sees the
prompt's or the solution's tokens: those are written by the codec, the same in every arm.

    treated = Corrupted(rate=0.1)(task, examples, rng.keys(0, "train", 0, len(examples), "treatment"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task, Verdicts

Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Treated:
    """The traces of n examples after a treatment.

    trace: tokens, without the opening word. residual_valid: (n,) which traces the verifier still calls
    strictly valid for the problems that have them now. donor: (n,) the place in the batch of the
    example whose trace it is, -1 where its own. damage: (n,) how many steps were damaged, or added. rows,
    damaged: the steps and, for each, whether it is damaged or added; None where a treatment works on tokens.
    lead: tokens behind the prompts that are read with these, not written; None: there are none. measured:
    what the treatment has to say of all of them on the data card, by name.
    """

    trace: Ragged
    residual_valid: NDArray[np.bool_]
    donor: NDArray[np.int64]
    damage: NDArray[np.int64]
    rows: Ragged | None = None
    damaged: Ragged | None = None
    lead: Ragged | None = None
    measured: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.trace)


class Latents(NamedTuple):
    """What a model computes between a prompt and its completion: so many latents.

    feedback: what their input is (`models.latent`); scale: of that input, at first; None: a word's size.
    """

    number: int
    feedback: str
    scale: float | None


class Turn(NamedTuple):
    """A stretch of a training: its share of the budget, the treatment of what is trained on, and whether the
    optimiser begins anew with it.
    """

    share: float
    treatment: Treatment
    anew: bool


class Treatment:
    """The base of all treatments, which are frozen dataclasses of knobs.

    promise: what the data card must certify. "valid": every trace is strictly valid. "local": every one is
    locally valid. "invalid": none is strictly. "deranged": each trace stands once, and not with its own
    problem. "": nothing; the card measures. random: does what comes out depend on the keys? dose: the knob,
    if any, that is the share of a trace's steps to be damaged; adds: that of the treated trace's steps to be
    added; `Treated.damage` has how many were.
    """

    promise: ClassVar[str] = ""
    random: ClassVar[bool] = True
    dose: ClassVar[str | None] = None
    adds: ClassVar[str | None] = None

    def check(self, task: Task) -> None:
        """ValueError if the task's traces cannot be treated so: asked before problems are drawn."""

    @property
    def thinks(self) -> Latents | None:
        """Latents that stand behind each prompt when a model is tested; None: there are none."""
        return None

    @property
    def writes(self) -> bool:
        """Is a trace written, if only a part of it, in what is trained on at last?"""
        return True

    @property
    def lacks(self) -> str:
        """The override that is missing, without which no trace can be treated: a student, say; "": none."""
        return ""

    def in_turn(self) -> Sequence[Turn]:
        """What is trained on, one after the other, where that changes; the treatment itself is what data card
        and validation are of. Empty: it is trained on from beginning to end.
        """
        return ()

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """keys: (n,) of the stream "treatment", one per example."""
        raise NotImplementedError


def from_tokens(task: Task, examples: Examples, trace: Ragged) -> Treated:
    """Treated traces that are tokens, not steps."""
    n, valid = len(examples), judged(task, examples, trace).trace_ok[:, task.levels.index("strict")]
    return Treated(trace, valid, np.full(n, -1), np.zeros(n, np.int64))


def judged(task: Task, examples: Examples, trace: Ragged) -> Verdicts:
    """Verdicts on traces (tokens), each with the reference solution behind it."""
    codec, nothing = task.codec, Ragged(trace.values[:0], np.zeros(len(examples) + 1, np.int64))
    completions = codec.assemble(nothing, trace, codec.encode(codec.solution, examples.solution))
    return task.judge(examples, completions.tokens)


def refuse_invalid(
    task: Task, examples: Examples, verdicts: Verdicts, kind: str, level: str = "strict"
) -> None:
    """ValueError if a trace does not pass a level: the first that does not, and why. kind: which traces."""
    reason = verdicts.trace_reason[:, task.levels.index(level)]
    bad = np.flatnonzero(reason)
    if len(bad):
        how = {"strict": "strictly", "local": "locally"}[level]
        raise ValueError(
            f"{len(bad)} of {len(examples)} {kind} traces are not {how} valid, the first at index "
            f"{examples.index[bad[0]]} ({task.reasons[reason[bad[0]]]}): if the data was read from a "
            "file, set task to what it was made with (solver, format, size); else the solver has a defect"
        )


def from_rows(
    task: Task,
    examples: Examples,
    rows: Ragged,
    *,
    donor: NDArray[np.int64] | None = None,
    damage: NDArray[np.int64] | None = None,
    damaged: Ragged | None = None,
) -> Treated:
    """Treated traces that are steps; no donors and no damage unless given."""
    n = len(examples)
    return Treated(
        task.codec.encode(task.codec.trace, rows),
        task.judge_traces(examples, rows),
        np.full(n, -1) if donor is None else donor,
        np.zeros(n, np.int64) if damage is None else damage,
        rows,
        Ragged(np.zeros(len(rows.values), np.bool_), rows.offsets) if damaged is None else damaged,
    )


def reference(task: Task, examples: Examples) -> Ragged:
    """The reference solver's traces as tokens."""
    return task.codec.encode(task.codec.trace, examples.trace)
