"""A model in shards: each of several devices holds a part of every matrix (FSDP2)."""

from __future__ import annotations

from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from tracelab.models.base import Model


def shard(model: Model, mesh: DeviceMesh, compiled: bool) -> None:
    """Shard the blocks, and what is around them. compiled: each block by itself, for no graph spans them."""
    for block in model.blocks:
        if compiled:
            block.compile()
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for method in ("hidden", "logits"):  # what is called instead of forward
        register_fsdp_forward_method(model, method)
