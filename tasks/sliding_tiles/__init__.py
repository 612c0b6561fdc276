"""Sliding tiles: make one board of another by sliding tiles into the gap."""

from tracelab.tasks.sliding_tiles.task import SlidingTiles
from tracelab.tasks.sliding_tiles.text import DEEPEST

__all__ = ["DEEPEST", "SlidingTiles"]
