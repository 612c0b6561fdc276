"""Satisfiability: give variables values that make every clause true, or find that there are none."""

from tracelab.tasks.sat.task import Sat

__all__ = ["Sat"]
