"""What a model has read: keys and values by column, for generation."""

from __future__ import annotations

import torch
from torch import Tensor

from tracelab.models.decoding import FEATURES, LANES, Columns, decode
from tracelab.models.layers import attend

LEAST = -1e30  # as good as -inf, but a padding column that sees nothing gets no NaN


class Cache:
    """Keys and values of B rows, which are left-padded to equal length.

    start: (B,) the first real column of each row; used: columns, of which the first `read` may be shared by
    rows: parents, (B,), says whose each row has. Room for columns grows by halves. On CPUs keys lie feature
    after feature, as `decode` wants.
    """

    def __init__(self, layers: int, start: Tensor) -> None:
        self.start, self.used, self.read, self.parents = start, 0, 0, start
        nothing = [torch.empty(0)] * layers
        self.keys = nothing.copy()  # (kv_heads, B, D, room) on CPUs, else (kv_heads, B, room, D)
        self.values = nothing.copy()  # (kv_heads, B, room, D)
        self.shared_keys, self.shared_values = nothing, nothing  # the same of the rows that are shared
        self._bias: Tensor | None = None

    def advance(self, n: int) -> Tensor:
        """Make n more columns the newest -> (B, n): their places in their rows, 0 for padding."""
        self.used += n
        self._bias = None
        newest = torch.arange(self.used - n, self.used, device=self.start.device)
        return (newest - self.start[:, None]).clamp(min=0)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store a layer's newest columns, (kv_heads, B, n, D), and let q, (heads, B, n, D), look at all."""
        axis = 2 if k.is_cuda else 3
        stored = k if k.is_cuda else k.mT
        self.keys[layer] = self._stored(self.keys[layer], stored, axis)
        self.values[layer] = self._stored(self.values[layer], v, 2)
        own = self.used - self.read
        if _has_kernel(q) and q.shape[2] == 1 and not torch.is_grad_enabled():
            both = Columns(self.keys[layer], self.values[layer], own)
            if not self.read:
                return decode(q, both, self.start)
            shared = Columns(self.shared_keys[layer], self.shared_values[layer], self.read)
            return decode(q, both, self.start, shared, self.parents)
        assert not self.read, "shared columns are for the kernel"
        k = self.keys[layer].narrow(axis, 0, own)
        v = self.values[layer].narrow(2, 0, own)
        return attend(q, k if k.is_cuda else k.mT, v, self._mask(q))

    def _mask(self, q: Tensor) -> Tensor:
        """(B, n, used): 0 where the n newest columns look, else LEAST."""
        if self._bias is None:
            column = torch.arange(self.used, device=q.device)
            newest = column[-q.shape[2] :]
            seen = (column >= self.start[:, None, None]) & (column <= newest[:, None])
            self._bias = torch.zeros(seen.shape, dtype=q.dtype, device=q.device).masked_fill_(~seen, LEAST)
        return self._bias

    def _stored(self, kept: Tensor, new: Tensor, axis: int) -> Tensor:
        """-> what is kept, with `new` at the end of its columns. axis: of the columns."""
        n, used = new.shape[axis], self.used - self.read
        room = 0 if n == used else kept.shape[axis]
        if used > room:
            shape = list(new.shape)
            shape[axis] = -(-(used + used // 2) // LANES) * LANES
            larger = new.new_zeros(shape)
            if room:
                larger.narrow(axis, 0, used - n).copy_(kept.narrow(axis, 0, used - n))
            kept = larger
        kept.narrow(axis, used - n, n).copy_(new)
        return kept

    def keep(self, rows: Tensor) -> None:
        """Keep the rows of these places, in this order."""
        self.start, self.parents = self.start[rows], self.parents[rows]
        if self.used > self.read:
            self.keys, self.values = ([kept[:, rows] for kept in both] for both in (self.keys, self.values))

    def branch(self, rows: Tensor) -> None:
        """Go on with a row for each of these places, as often as they are named. What was read so far is
        stored once where the kernel can share it.
        """
        if self.read or not _has_kernel(self.values[0]):
            self.keep(rows)
            return
        self.shared_keys, self.shared_values = self.keys, self.values
        self.keys, self.values = ([torch.empty(0)] * len(self.keys) for _ in range(2))
        self.start, self.parents, self.read = self.start[rows], rows, self.used


def _has_kernel(x: Tensor) -> bool:
    """x: (..., D)."""
    return not x.is_cuda and x.shape[-1] % FEATURES == 0
