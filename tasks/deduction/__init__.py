"""Deduction: facts and rules over invented atoms."""

from tracelab.tasks.deduction.task import Deduction

__all__ = ["Deduction"]
