"""Arithmetic: values defined by sums, differences and products modulo a number."""

from tracelab.tasks.arithmetic.task import Arithmetic

__all__ = ["Arithmetic"]
