"""Attention within the documents of packed rows: no token sees another document's.

A packed row holds whole documents, one behind the other, and then padding, which counts as one more. Where
each begins is all that attention and rotation need to know. Three ways to the same result:

    plain    the definition, anywhere; all scores exist at once, so it is meant for tests and short rows
    flex     torch's FlexAttention (Dong et al. 2024) over a mask of blocks: GPUs, where it is always compiled
    varlen   torch's FlashAttention over sequences of unequal lengths (Dao 2023): GPUs, 16-bit types
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from tracelab.batches.documents import BLOCK, Documents
from tracelab.models.layers import attend

KERNELS = ("plain", "flex", "varlen")


def varlen_knobs() -> frozenset[str]:
    """Names of what torch's varlen_attn can be told; none where there is no such function (torch < 2.10)."""
    if find_spec("torch.nn.attention.varlen") is None:
        return frozenset()
    from torch.nn.attention.varlen import varlen_attn

    return frozenset(inspect.signature(varlen_attn).parameters)


# torch 2.11 has window_size; 2.12 has enable_gqa, too: before that, heads group without being asked
VARLEN = varlen_knobs()

Look = Callable[[Tensor, Tensor, Tensor], Tensor]  # q (heads, B, T, D), k, v (kv_heads, B, S, D) -> like q


def look_within(documents: Documents, kernel: str) -> Look:
    """Causal attention within documents. kernel: one of KERNELS."""
    if kernel == "flex":
        return partial(_flex, block_mask(documents.start))
    if kernel == "varlen":
        return partial(_varlen, documents.edges)
    return partial(_plain, seen(documents.start))


def seen(start: Tensor) -> Tensor:
    """(B, T) starts -> (B, T, T): may a query (second axis) see a key (third)?"""
    column = torch.arange(start.shape[1], device=start.device)
    return (column <= column[:, None]) & (column >= start[:, :, None])


def block_mask(start: Tensor) -> BlockMask:
    """`seen` as blocks: which are computed, and in which of them single scores are masked.

    Starts never fall along a row, so a block of queries sees a run of blocks of keys: from `first` on some,
    from `whole` on all of its queries see all of their keys, but for the last block, its own.
    """
    _, T = start.shape
    own = torch.arange(T // BLOCK, dtype=torch.int32, device=start.device)
    first = start[:, None, ::BLOCK] // BLOCK  # (B, 1, T / BLOCK)
    whole = torch.minimum((start[:, None, BLOCK - 1 :: BLOCK] + BLOCK - 1) // BLOCK, own)
    last = own[:, None]
    masked = torch.where(own < (whole - first)[..., None], first[..., None] + own, last)  # (B, 1, n, n)
    full = torch.minimum(whole[..., None] + own, last)

    def mask(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (key >= start[b, query])

    return BlockMask.from_kv_blocks(whole - first + 1, masked, own - whole, full, BLOCK, mask)


def _plain(may_see: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    bias = torch.zeros(may_see.shape, dtype=q.dtype, device=q.device).masked_fill(~may_see, -torch.inf)
    return attend(q, k, v, bias)


def _flex(mask: BlockMask, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    alone = q.is_cuda and not torch.compiler.is_compiling()
    flex: Any = fused() if alone else flex_attention
    y = flex(q, k, v, block_mask=mask, enable_gqa=q.shape[1] != k.shape[1])
    return y.transpose(0, 1)


@cache
def fused() -> Callable[..., Any]:
    """FlexAttention as one kernel, for a model that isn't compiled: as it is, it would make all scores."""
    return torch.compile(flex_attention, dynamic=False)


def _varlen(edges: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    _, B, T, _ = q.shape
    more: Any = {"enable_gqa": True} if len(q) != len(k) and "enable_gqa" in VARLEN else {}
    q, k, v = (x.permute(1, 2, 0, 3).flatten(0, 1) for x in (q, k, v))  # (B * T, heads, D), views
    y: Any = varlen_attn(q, k, v, edges, edges, T, T, window_size=(-1, 0), **more)
    return y.unflatten(0, (B, T)).permute(2, 0, 1, 3)
