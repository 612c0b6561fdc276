"""What is set for a training: the knobs of `python -m tracelab.train`."""

from __future__ import annotations

from tracelab.core.settings import Count, Number, Place, settings
from tracelab.runs.settings import Experiment
from tracelab.training.budget import build_budget


@settings
class Training(Experiment):
    """An experiment that trains a model from scratch. conf/train.yaml says what each knob is."""

    attention: str = "auto"
    init_from: Place | None = None
    validate_every: Count = 1000
    validate_problems: Number = 0

    def __post_init__(self) -> None:
        build_budget(self.budget)  # it says what is wrong with it
