"""Mazes: find a way from start to goal through a grid of walls."""

from tracelab.tasks.maze.task import Maze
from tracelab.tasks.maze.text import FORMATS

__all__ = ["FORMATS", "Maze"]
