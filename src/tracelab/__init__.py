"""Controlled, from-scratch trace-training research: what do reasoning traces do for the model?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from tracelab.core.types import Examples, Task
    from tracelab.evaluation.verifying import Problems, Texts

# OpenMP's threads wait by spinning, and on a machine that does something else too they spin away the core
# that they wait for: training fell to a tenth. Read when torch is loaded, so it is set here.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"


def verify(task: Task, problems: Problems | Examples, completions: Texts) -> pa.Table:
    """Verdicts on completions as an Arrow table, one row each in their order.

        table = tracelab.verify(Maze(size=30), ["query start ..."], ["reasoning create ... end"])

    problems: prompts, or Examples that a task has drawn; completions: what was answered to each. Either may
    be words or token ids. solution_valid, solution_optimal (bool), solution_reason; per trace level
    trace_<level> (bool), trace_<level>_reason, trace_<level>_at (the first bad step; null where it passes);
    trace_steps (that parsed); not_judged: why there is no verdict (its columns are null then), or null.
    Nothing in a text raises; ValueError if completions are not as many as problems, or if the task cannot
    read prompts.
    """
    from tracelab.evaluation.verifying import verify as verdicts

    return verdicts(task, problems, completions)
