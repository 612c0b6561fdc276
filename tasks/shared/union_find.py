"""Sets that are joined one by one (union-find): which nodes of a graph are connected by now?"""

from __future__ import annotations

from tracelab.core.arrays import Integers
from tracelab.core.jit import kernel


@kernel
def leader_of(leader: Integers, node: int) -> int:
    """The node that stands for a node's set, with path halving; leader[one's] = another's joins two sets."""
    while leader[node] != node:
        leader[node] = leader[leader[node]]
        node = leader[node]
    return node
