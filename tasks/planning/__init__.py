"""Classical planning: blocks are stacked, packages are carried; the trace is a best-first search."""

from tracelab.tasks.planning.task import Planning

__all__ = ["Planning"]
