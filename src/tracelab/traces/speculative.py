"""The reference's trace in a trained model's own words where that model, the student, finds it unlikely.

Reverse speculative decoding (Jaehoon Kim et al. 2025, arXiv 2509.22230): the reference proposes one token
after the other; one to which the student gives less than a threshold behind what was written so far is
replaced by the student's likeliest. That can make the trace wrong, and the reference goes on as if nothing
had happened: it proposes its own next token, not what would now be right. So the verifier judges what has
come of it, and the data card says which share is still valid.

    python -m tracelab.train trace=speculative trace.threshold=0.01 trace.student=runs/...
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tracelab.core.formats import ABSENT
from tracelab.core.knobs import one_of
from tracelab.core.ragged import Ragged
from tracelab.core.settings import Share
from tracelab.core.types import Examples, Task
from tracelab.traces._asking import Asking, read_by
from tracelab.traces.base import Keys, Treated, from_tokens, judged, reference, refuse_invalid

KEEPS = ("valid", "all")


@dataclass(frozen=True)
class Speculative(Asking):
    """Replace tokens that the student finds less likely than `threshold` by its likeliest.

    keep: all, or valid: a trace that is no longer strictly valid is the reference's own again (no problem is
    left out, for all arms share theirs). The words that open trace and solution stay, and no token of the
    student's ends a trace: it is one of those that the reference traces are made of.
    """

    threshold: Share = 0.01
    keep: str = "valid"

    promise: ClassVar[str] = ""
    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        one_of("trace.keep", self.keep, KEEPS)

    def __call__(self, task: Task, examples: Examples, keys: Keys) -> Treated:
        """Rewritten traces. They are tokens, for not all need parse. ValueError if an invalid one could not
        be the reference's again, for that is not strictly valid either.
        """
        self.check(task)
        assert self.asked is not None, "it was checked"
        proposed, prompts = reference(task, examples), task.prompts(examples)
        if self.keep == "valid":
            refuse_invalid(task, examples, judged(task, examples, proposed), "reference")
        first = [] if task.codec.markers[0] == ABSENT else [task.codec.markers[0]]
        opens = Ragged.of([first] * len(examples))
        words = np.unique(proposed.values).tolist()
        written, own = self.asked.rewrite(prompts, opens, proposed, float(self.threshold), words)
        treated = from_tokens(task, examples, written)
        measured = {
            "tokens refused": float(own.values.mean()),
            "still strictly valid": float(treated.residual_valid.mean()),
        }
        if self.keep == "valid":
            bad = np.flatnonzero(~treated.residual_valid)
            treated = from_tokens(task, examples, written.replace(bad, proposed.take(bad)))
            assert treated.residual_valid.all(), "the reference's are valid, which was checked"
        measured["tokens replaced"] = float((treated.trace.values != proposed.values).mean())
        for name, traces in {"logprob per token": treated.trace, "reference's": proposed}.items():
            logprobs, _ = read_by(self.asked, task, examples, traces)
            measured[name] = float(logprobs.values.mean())
        return replace(treated, measured=measured)
