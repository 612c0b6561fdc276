"""How large the graphs of a generator are; knobs for which there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST = 200  # nodes


class Extent(NamedTuple):
    """Size of each graph: its nodes, its edges, how many pairs of nodes an edge may join, and the most edges
    that the shortest path from start to goal can have.
    """

    nodes: int
    edges: int
    pairs: int
    farthest: int


def extent_of(
    generator: str, nodes: int, grid: Sequence[int], star: Sequence[int], density: float, layers: int
) -> Extent:
    """Knobs as in GraphPath. ValueError if there are no such graphs."""
    for knob, sides in (("grid", grid), ("star", star)):
        if len(sides) != 2 or min(sides) < 1 or not all(isinstance(side, int) for side in sides):
            raise ValueError(f"task.{knob}={list(sides)} must be two whole numbers, 1 or more each")
    if layers and not (generator in ("dag", "two_targets") and 2 <= layers <= nodes):
        raise ValueError(f"task.layers={layers} is for a dag or two_targets: 2 to task.nodes, or 0")
    extent = _extent(generator, nodes, grid, star, density, layers)
    if not 2 <= extent.nodes <= MOST:
        raise ValueError(f"a {generator} graph of {extent.nodes} nodes: take 2 to {MOST}")
    if extent.edges > extent.pairs:
        raise ValueError(
            f"task.density={density} asks for {extent.edges} edges, but a {generator} graph of "
            f"{extent.nodes} nodes has room for {extent.pairs}: lower it"
        )
    return extent


def _extent(
    generator: str, nodes: int, grid: Sequence[int], star: Sequence[int], density: float, layers: int
) -> Extent:
    if generator == "star":
        arms, length = star
        return Extent(1 + arms * length, arms * length, arms * length, length)
    if generator == "grid":
        width, height = grid
        nodes, pairs = width * height, width * (height - 1) + height * (width - 1)
    elif layers:
        sizes = np.bincount(np.arange(nodes) * layers // nodes)
        pairs = int(sizes[:-1] @ sizes[1:])
    else:
        pairs = nodes * (nodes - 1) // 2
    return Extent(nodes, max(nodes - 1, round(density * nodes)), pairs, (layers or nodes) - 1)
