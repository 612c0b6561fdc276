"""A run's model as treatments ask it (`traces._asking.Student`): loaded when it is first asked.

treatment.given(RunStudent("runs/..."))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tracelab.core.ragged import Ragged
from tracelab.core.settings import Part
from tracelab.core.types import Task
from tracelab.core.waiting import waiting
from tracelab.decoding.logprobs import teacher_forced
from tracelab.decoding.sharing import alone
from tracelab.decoding.speculative import rewritten
from tracelab.models.base import Model
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.trained import check_vocabulary, settled, trained_model


def pinned(part: Part, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What run.json says of the student that a treatment of this config asks: its stamp, `student`, if it has
    one.

    before: what it said of a run that is resumed, or whose training data are drawn again; None of one that
    begins. ValueError if another process trains the student, or it is another model now than the run began
    with. (Runs of older versions noted no stamp.)
    """
    if part.get("student") is None:
        return {}
    student = Run.open(part["student"], "trace.student")
    now = settled(student, "last")
    noted = now if before is None else before.get("student")
    if noted is not None and noted != now:
        raise ValueError(
            f"trace.student={student.folder} was at step {noted['steps']} when this run began and is at step "
            f"{now['steps']} now, so that its traces would be others: put the student back as it was, from a "
            "copy of its folder, or train anew in another run_dir"
        )
    return {} if noted is None else {"student": noted}


@dataclass(frozen=True)
class RunStudent:
    """The model of the run in a folder, with its last weights."""

    folder: str

    @cached_property
    def run(self) -> Run:
        """The run. ValueError if there is none."""
        return Run.open(self.folder, "trace.student")

    @cached_property
    def model(self) -> Model:
        """Its model. ValueError if nothing of it is trained yet."""
        task, context = build_task(self.run.settings.task), self.run.read_json("run.json")["context"]
        return trained_model(self.run, task, "last", context)

    def check(self, task: Task) -> None:
        """ValueError if there is no such run, it is not trained, or it does not know the task's words."""
        self.run.trained("last")
        check_vocabulary(self.run.folder, task.codec.vocabulary)

    def logprobs(self, prompts: Ragged, completions: Ragged) -> Ragged:
        """Log-probabilities of completions' tokens, in nats. ValueError if they exceed its context."""
        opened = self._opened(prompts, completions)
        with alone(), waiting("Reading traces"):
            return teacher_forced(self.model, opened, completions)

    def rewrite(
        self, prompts: Ragged, opens: Ragged, proposed: Ragged, threshold: float, words: Sequence[int]
    ) -> tuple[Ragged, Ragged]:
        """What is proposed, with its own tokens where that is less likely; and which are its own.

        opens: words behind each prompt that stay as they are.
        """
        opened = self._opened(prompts, opens.joined(proposed)).joined(opens)
        with waiting("Rewriting traces"):
            return rewritten(self.model, opened, proposed, threshold, words)

    def _opened(self, prompts: Ragged, completions: Ragged) -> Ragged:
        """Prompts as the model reads them."""
        opened = self.model.opened(prompts)
        longest = int((opened.lengths + completions.lengths).max(initial=0))
        if longest > self.model.context:
            raise ValueError(
                f"trace.student={self.folder} reads {self.model.context} tokens at most, and the longest "
                f"trace has {longest} with its prompt: take a student with a larger model.context, or "
                "smaller problems"
            )
        return opened
