"""Graph paths: find a way from a start to a goal through a graph."""

from tracelab.tasks.graph_path.task import GraphPath

__all__ = ["GraphPath"]
