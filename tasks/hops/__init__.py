"""Hops: questions over a small world, answered by one fact after another."""

from tracelab.tasks.hops.task import Hops

__all__ = ["Hops"]
