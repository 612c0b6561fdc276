"""Sokoban: a worker pushes boxes onto docks."""

from tracelab.tasks.sokoban.task import Sokoban

__all__ = ["Sokoban"]
