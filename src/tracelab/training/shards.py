"""A model in shards: each of several devices holds a part of every matrix (FSDP2).

Shards and gradients are float32; weights are gathered in the format of products, in bfloat16 half the bytes.
"""

from __future__ import annotations

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

from tracelab.models.base import Model


def shard(model: Model, mesh: DeviceMesh, compiled: bool) -> None:
    """Shard the blocks, and what is around them. compiled: each block by itself, for no graph spans them."""
    policy = MixedPrecisionPolicy(param_dtype=model.products, reduce_dtype=torch.float32)
    for block in model.blocks:
        if compiled:
            block.compile()
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for method in ("hidden", "logits"):  # what is called instead of forward
        register_fsdp_forward_method(model, method)
