"""Knights and knaves: who speaks the truth and who does not, from what each says."""

from tracelab.tasks.knights_knaves.task import KnightsKnaves

__all__ = ["KnightsKnaves"]
