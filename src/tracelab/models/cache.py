"""What a model has read: keys and values by column, for generation."""

from __future__ import annotations

import torch
from torch import Tensor

from tracelab.models.decoding import FEATURES, LANES, decode
from tracelab.models.layers import attend

LEAST = -1e30  # as good as -inf, but a padding column that sees nothing gets no NaN


class Cache:
    """Keys and values of B rows, which are left-padded to equal length.

    start: (B,) the first real column of each row; bias: (B, n, used), 0 where the n newest columns look,
    else LEAST. Room for columns grows by halves. On CPUs keys lie feature after feature, as `decode` wants.
    """

    def __init__(self, layers: int, start: Tensor) -> None:
        self.start, self.used, self.bias = start, 0, start
        self.keys = [torch.empty(0)] * layers  # (kv_heads, B, D, room) on CPUs, else (kv_heads, B, room, D)
        self.values = [torch.empty(0)] * layers  # (kv_heads, B, room, D)

    def advance(self, n: int, dtype: torch.dtype) -> Tensor:
        """Make n more columns the newest -> (B, n): their places in their rows, 0 for padding."""
        self.used += n
        column = torch.arange(self.used, device=self.start.device)
        newest = column[-n:]
        seen = (column >= self.start[:, None, None]) & (column <= newest[:, None])  # (B, n, used)
        self.bias = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, LEAST)
        return (newest - self.start[:, None]).clamp(min=0)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store a layer's newest columns, (kv_heads, B, n, D), and let q, (heads, B, n, D), look at all."""
        axis = 2 if k.is_cuda else 3
        stored = k if k.is_cuda else k.mT
        self.keys[layer] = self._stored(self.keys[layer], stored, axis)
        self.values[layer] = self._stored(self.values[layer], v, 2)
        if q.shape[2] == 1 and not (q.is_cuda or torch.is_grad_enabled() or q.shape[3] % FEATURES):
            return decode(q, self.keys[layer], self.values[layer], self.start, self.used)
        k = self.keys[layer].narrow(axis, 0, self.used)
        v = self.values[layer].narrow(2, 0, self.used)
        return attend(q, k if k.is_cuda else k.mT, v, self.bias)

    def _stored(self, kept: Tensor, new: Tensor, axis: int) -> Tensor:
        """-> what is kept, with `new` at the end of its columns. axis: of the columns."""
        n = new.shape[axis]
        room = 0 if n == self.used else kept.shape[axis]
        if self.used > room:
            shape = list(new.shape)
            shape[axis] = -(-(self.used + self.used // 2) // LANES) * LANES
            larger = new.new_zeros(shape)
            if room:
                larger.narrow(axis, 0, self.used - n).copy_(kept.narrow(axis, 0, self.used - n))
            kept = larger
        kept.narrow(axis, self.used - n, n).copy_(new)
        return kept

    def keep(self, rows: Tensor) -> None:
        """Keep the rows of these places, in this order and as often as they are named."""
        self.start = self.start[rows]
        self.keys, self.values = ([kept[:, rows] for kept in both] for both in (self.keys, self.values))
