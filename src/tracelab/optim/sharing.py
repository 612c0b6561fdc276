"""Matrices that all processes of a run would treat alike: each treats some, and is sent the rest.

Whoever has other matrices than the others is sent wrong ones, so this is for processes that share one model.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, distributed


def shared_out(
    matrices: Tensor, treat: Callable[[Tensor], Tensor], sent: torch.dtype
) -> Callable[[], Tensor]:
    """Begin to `treat` a stack of n matrices; the function that is returned waits, and gives all n treated.

    All processes call it with the same stack. Of p processes each treats at most ⌈n / p⌉ matrices, and sends
    them as numbers of type `sent`; it goes on while they are under way. So all get the same bytes.
    """
    processes = distributed.get_world_size()
    each = -(-len(matrices) // processes)
    mine = matrices[distributed.get_rank() * each :][:each]
    given = torch.zeros((each, *matrices.shape[1:]), dtype=sent, device=matrices.device)
    if len(mine):
        given[: len(mine)] = treat(mine)
    found = torch.empty((processes * each, *matrices.shape[1:]), dtype=sent, device=matrices.device)
    parts = list(found.view(processes, *given.shape).unbind())  # of the same memory
    under_way = distributed.all_gather(parts, given, async_op=True)

    def waited() -> Tensor:
        under_way.wait()
        return found[: len(matrices)].to(matrices.dtype)

    return waited
