"""Attention, norm and rotation, each in the form that is fastest where it runs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention


def normalize(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm: x / rms(x) * weight over the last axis."""
    return rms_norm(x, weight.shape, weight.to(x.dtype), eps)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Rotate pairs (i, i + D/2) of (B, T, heads, D) by the angles of `rope` ([B,] T, D) (Su et al. 2021)."""
    cos, sin = rope.to(x.dtype).unsqueeze(-2).chunk(2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q kᵀ / √D) v. q: (B, heads, T, D); k, v: (B, kv_heads, S, D); mask: True where q sees k.

    Without a mask it is causal (T = S).
    """
    if q.is_cuda:
        return scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=q.shape[1] != k.shape[1]
        )
    B, heads, T, D = q.shape
    q = (q * D**-0.5).reshape(B, k.shape[1], -1, D)  # query heads of one key head, one after another
    scores = (q @ k.transpose(-2, -1)).view(B, heads, T, -1)
    if mask is None:
        mask = torch.ones(T, T, dtype=torch.bool, device=q.device).tril()
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return (scores.softmax(-1).view(B, k.shape[1], -1, k.shape[2]) @ v).view(B, heads, T, D)
