"""What a model has read: keys and values by column, for generation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

LEAST = -1e30  # as good as -inf, but a padding column that sees nothing gets no NaN


class Cache:
    """Keys and values of B rows, which are left-padded to equal length.

    start: (B,) the first real column of each row; kv: per layer (2, kv_heads, B, columns, D), of
    which `used` columns are filled; bias: (B, n, used), 0 where the n newest columns look, else LEAST.
    """

    def __init__(self, layers: int, start: Tensor) -> None:
        self.start, self.used = start, 0
        self.kv: list[Tensor] = [torch.empty(0)] * layers
        self.bias = start

    def advance(self, n: int, dtype: torch.dtype) -> Tensor:
        """Make n more columns the newest -> (B, n): their places in their rows, 0 for padding."""
        self.used += n
        column = torch.arange(self.used, device=self.start.device)
        newest = column[-n:]
        seen = (column >= self.start[:, None, None]) & (column <= newest[:, None])  # (B, n, used)
        self.bias = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, LEAST)
        return (newest - self.start[:, None]).clamp(min=0)

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's newest columns, (kv_heads, B, n, D) -> its keys and values so far."""
        heads, B, n, D = k.shape
        kv = self.kv[layer]
        if n == self.used:
            kv = k.new_empty(2, heads, B, n + n // 2, D)
        elif self.used > kv.shape[3]:
            kv = pad(kv, (0, 0, 0, self.used + self.used // 2 - kv.shape[3]))  # room grows by halves
        kv[0, :, :, self.used - n : self.used] = k
        kv[1, :, :, self.used - n : self.used] = v
        self.kv[layer] = kv
        return kv[0, :, :, : self.used], kv[1, :, :, : self.used]

    def keep(self, rows: Tensor) -> None:
        """Keep the rows of these places, in this order and as often as they are named."""
        self.start = self.start[rows]
        self.kv = [kv[:, :, rows] for kv in self.kv]
