"""Norm, rotation and attention, each in the form that is fastest where it runs.

On CPUs the first two have gradients of their own: autograd's would make three times as many passes over the
activations, and those passes, not the matrix products, are most of the time. On GPUs the compiler makes one
pass of several operations, if they are left to it, and computes again what would be dearer to keep.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Angles = tuple[Tensor, Tensor]
FUSED = 160  # tokens, see `attend`


def normalize(x: Tensor, gain: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm: x / rms(x) * gain, the rms over the last axis (Zhang and Sennrich 2019)."""
    if fuses(x):
        return plain_norm(x, gain, eps)
    if not torch.is_grad_enabled():
        return _unit(x, eps)[0] * gain.to(x.dtype)
    return _Normalize.apply(x, gain.to(x.dtype), eps)


def rotate(x: Tensor, angles: Angles) -> Tensor:
    """Rotate pairs (i, i + D/2) of (heads, B, T, D) by the angles of their places (Su et al. 2021)."""
    own = torch.is_grad_enabled() and not fuses(x)
    return _Rotate.apply(x, *angles) if own else _turn(x, *angles)


def by_heads(x: Tensor, head_dim: int) -> Tensor:
    """(B, T, heads * D) -> (heads, B, T, D): in one piece on CPUs; on GPUs a view, which costs no pass."""
    heads = x.unflatten(-1, (-1, head_dim)).permute(2, 0, 1, 3)
    return heads if fuses(x) else heads.contiguous()


def fuses(x: Tensor) -> bool:
    """Are passes over such a tensor made one by the compiler? On GPUs, where all is compiled."""
    return x.is_cuda


def plain_norm(x: Tensor, gain: Tensor, eps: float) -> Tensor:
    """`normalize` as it is defined, in float32 but for the product with the gain."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    unit = wide * (wide.square().mean(-1, keepdim=True) + eps).rsqrt()
    return unit.to(x.dtype) * gain.to(x.dtype)


def angles_at(rope: Tensor, dtype: torch.dtype) -> Angles:
    """Rows of the table, ([B,] T, D) -> what `rotate` wants, each ([B,] T, D)."""
    cos, sin = rope.to(dtype).chunk(2, dim=-1)
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """softmax(q kᵀ / √D + bias) v. q: (heads, B, T, D); k, v: (kv_heads, B, S, D); bias: ([B,] T, S).

    No bias means causal (T = S). Heads come first so that q, k and v are each in one piece. On CPUs the plain
    form takes half the time of the fused one in 16 bits at a few hundred tokens; in float32 the fused one is
    faster from FUSED tokens on.
    """
    long = bias is None and q.element_size() == 4 and q.shape[2] >= FUSED and len(q) == len(k)
    if q.is_cuda or long:
        q, k, v = (x.transpose(0, 1) for x in (_by_place(q), _by_place(k), v))
        bias = bias[:, None] if bias is not None and bias.ndim == 3 else bias
        causal, grouped = bias is None, q.shape[1] != k.shape[1]
        y = scaled_dot_product_attention(q, k, v, bias, is_causal=causal, enable_gqa=grouped)
        return y.transpose(0, 1)
    if bias is None:
        bias = causal_bias(q.shape[2], q)
    q = (q.to(k.dtype) * q.shape[-1] ** -0.5).unflatten(0, (len(k), -1))  # (kv_heads, group, B, T, D)
    scores = (q @ k[:, None].transpose(-2, -1)).add_(bias)
    return (scores.softmax(-1) @ v[:, None]).flatten(0, 1)


def _by_place(x: Tensor) -> Tensor:
    """(heads, B, T, D) -> the same, but laid out as (B, T, heads, D), which the compiler then keeps to.

    It would choose a layout of its own, and its strides for this one batch would be constants of the backward
    pass: the next batch of another shape would fail (torch 2.11 to 2.13).
    """
    if not (fuses(x) and torch.compiler.is_compiling()):
        return x
    return x.permute(1, 2, 0, 3).contiguous().permute(2, 0, 1, 3)


def causal_bias(T: int, like: Tensor) -> Tensor:
    """(T, T): 0 where a query sees a key, -inf where not."""
    return torch.full((T, T), -torch.inf, dtype=like.dtype, device=like.device).triu_(1)


class _Normalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, eps: float) -> Tensor:
        unit, inverse = _unit(x, eps)
        ctx.save_for_backward(unit, inverse, gain)
        return unit * gain

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        unit, inverse, gain = ctx.saved_tensors
        (grad,) = grads
        gain_grad = (grad * unit).sum_to_size(gain.shape)
        grad = grad * gain
        radial = torch.linalg.vecdot(grad, unit).unsqueeze(-1) / unit.shape[-1]
        return torch.addcmul(grad, unit, radial, value=-1).mul_(inverse), gain_grad, None


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        (grad,) = grads
        return _turn(grad, cos, -sin), None, None


def _unit(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    exact = torch.promote_types(x.dtype, torch.float32)
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=exact)
    inverse = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_().to(x.dtype)
    return x * inverse, inverse


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat([b, a], dim=-1), sin)
