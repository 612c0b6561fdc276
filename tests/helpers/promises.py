"""Whether treated traces are what their treatment promises of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.traces.base import Treated


def assert_kept(
    promise: str,
    task: Task,
    examples: Examples,
    treated: Treated,
    completions: Callable[[Task, Examples, Ragged], Ragged],
) -> None:
    """`Treatment.promise` holds of all, and the verifier says of them what the treatment does.

    completions: tokens of the examples' solutions behind steps; not every treatment makes steps.
    """
    if treated.rows is not None:
        judged = task.judge(examples, completions(task, examples, treated.rows)).trace_ok
        strict, local = (judged[:, task.levels.index(level)] for level in ("strict", "local"))
        assert treated.residual_valid.tolist() == strict.tolist()
    if promise == "valid":
        assert treated.residual_valid.all()
    elif promise == "local":
        assert local.all()
    elif promise == "invalid":
        assert not treated.residual_valid.any()
    elif promise == "deranged":
        assert sorted(treated.donor) == list(range(len(treated)))
        assert (treated.donor != np.arange(len(treated))).all()
    else:
        assert promise == ""
