"""Names of the columns of metrics.csv that are of the validation set.

measured(task.levels)           # of completions of held-out problems: solution_valid, trace_strict, ...
objectives(config)              # val/solution_valid, val/loss, ...: all that runs of a config may have
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hydra.utils import get_object

from tracelab.runs.folder import Run
from tracelab.runs.settings import in_shards

VALIDATION = "val/"  # what they begin with
LOSSES = ("loss", "trace_loss", "solution_loss")
HALVES = ("easy", "hard")
OF_HALVES = ("solution_valid", "trace_strict", "only_solution")  # told of easy and of hard problems apart


def measured(levels: Iterable[str]) -> tuple[str, ...]:
    """What is known of completions of held-out problems. levels: of trace validity, the task's."""
    verdicts = ("solution_valid", "solution_optimal", *(f"trace_{level}" for level in levels))
    halves = (f"{half}_{name}" for half in HALVES for name in OF_HALVES)
    return "problems", *verdicts, "only_solution", "truncated", "tokens", "trace_steps", *halves, "seconds"


def objectives(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The columns that runs of a composed config may have; None if it does not say yet what their task is.

    With FSDP no device holds the whole model, which then completes nothing.
    ValueError if the run that is to be post-trained is none.
    """
    part, after = config["task"], "algorithm" in config
    if after:
        if "${" in str(config["run"]):
            return None
        part = {**Run.open(config["run"]).config["task"], **(part or {})}
    levels = getattr(get_object(part["_target_"]), "levels", None)
    if levels is None:
        return None
    taught = (config.get("data") or {}).get("teacher") is not None
    losses = () if after else (*LOSSES, *(("level",) if taught else ()))
    completed = () if in_shards(config["trainer"]) else measured(levels)
    return tuple(f"{VALIDATION}{name}" for name in (*completed, *losses))
