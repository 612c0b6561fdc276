"""Countdown: combine numbers by + - * / until the target is there."""

from tracelab.tasks.countdown.task import Countdown

__all__ = ["Countdown"]
