"""What a command that trains leaves behind, and what it finds that was left so before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracelab.runs.folder import Run
from tracelab.runs.settings import Experiment


@dataclass(frozen=True)
class Trained:
    """What a command leaves behind. metrics: None if Ctrl-C came before they were measured.

    state: finished; resumed, if it was begun before; skipped, if it was finished before.
    """

    run: Run
    metrics: dict[str, Any] | None
    state: str


def finished_before(experiment: Experiment, last: str = "metrics.json") -> Trained | None:
    """The run that is asked for, if its folder holds it already. last: the file that is written last."""
    run = Run.finished(experiment)
    if run is None or not (run.folder / last).is_file():
        return None
    return Trained(run, run.read_json("metrics.json")["test sets"], "skipped")
