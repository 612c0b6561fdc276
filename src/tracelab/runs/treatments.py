"""A treatment built of its config, with the run's model that it asks, if it asks one.

treatment = build_treatment(experiment.trace)
"""

from __future__ import annotations

from tracelab.core.settings import Part
from tracelab.runs.build import build
from tracelab.traces._asking import Asking
from tracelab.traces.base import Treatment


def build_treatment(part: Part) -> Treatment:
    """The treatment that a config's part describes."""
    treatment: Treatment = build("trace", part)
    if isinstance(treatment, Asking) and treatment.student is not None:
        from tracelab.runs.students import RunStudent  # seconds, for torch

        return treatment.given(RunStudent(treatment.student))
    return treatment
