"""What a model has read before the tokens at hand, as its attention sees it: the state of decoding."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from tracelab.models.layers import Angles


class Norms(NamedTuple):
    """gains: (heads + kv_heads, D) float32, of queries and keys; eps: see `layers.normalize`."""

    gains: Tensor
    eps: float


class Past:
    """What new tokens come after: their places, and what their queries see."""

    def advance(self, n: int) -> Tensor:
        """N columns more -> (B, n): their places in their sequences."""
        raise NotImplementedError

    def keep(self, rows: Tensor) -> None:
        """Keep the rows of these places, in this order."""
        raise NotImplementedError

    def branch(self, rows: Tensor) -> None:
        """Go on with a row for each of these places, as often as they are named."""
        raise NotImplementedError

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store k, v, (kv_heads, B, n, D), and let q, (heads, B, n, D), look -> like q."""
        raise NotImplementedError

    def decodes(self, qkv: Tensor, head_dim: int) -> bool:
        """Is `decode`, in place of norms, rotation and `attend`, for these, (B, T, ...)?"""
        return False

    def decode(self, layer: int, qkv: Tensor, norms: Norms | None, angles: Angles) -> Tensor:
        """Norm and rotate, store, and look, all in one: (B, T, ...) -> (B, T, heads * D)."""
        raise NotImplementedError
