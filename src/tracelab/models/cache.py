"""What a model has read: keys and values by column, for generation."""

from __future__ import annotations

import torch
from torch import Tensor

from tracelab.core.jit import interpreted
from tracelab.models.decode import Columns, decode
from tracelab.models.decode_kernel import FEATURES, LANES
from tracelab.models.layers import Angles, attend
from tracelab.models.past import Norms, Past
from tracelab.models.precision import NAMES

LEAST = -1e30  # as good as -inf, but a padding column that sees nothing gets no NaN


class Cache(Past):
    """Keys and values of B rows, which are left-padded to equal length.

    start: (B,) the first real column of each row; used: columns, of which the first `read` may be shared by
    rows: parents, (B,), says whose each row has. Room for columns grows by halves. Keys lie feature after
    feature, as `decode` wants: this is for CPUs.
    """

    def __init__(self, layers: int, start: Tensor) -> None:
        self.start = start
        self.used = 0
        self.read = 0
        self.parents = start
        nothing = [torch.empty(0)] * layers
        self.keys = nothing.copy()  # (kv_heads, B, D, room)
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
        assert not self.read, "shared columns are for the kernel"
        self._store(layer, k, v)
        k, v = self.keys[layer][..., : self.used].mT, self.values[layer][:, :, : self.used]
        return attend(q, k, v, self._mask(q))

    def decodes(self, qkv: Tensor, head_dim: int) -> bool:
        """Is `decode` for these, (B, T, ...)?"""
        one = qkv.shape[1] == 1 and self.used > 1  # behind what was read
        return one and not torch.is_grad_enabled() and _has_kernel(qkv, head_dim)

    def decode(self, layer: int, qkv: Tensor, norms: Norms | None, angles: Angles) -> Tensor:
        """Store the one new token of each row and let it look at all: (B, 1, ...) -> (B, 1, heads * D)."""
        first = self.shared_values[layer] if self.read else self.values[layer]
        self._make_room(layer, first)
        own = Columns(self.keys[layer], self.values[layer], self.used - self.read)
        shared = Columns(self.shared_keys[layer], self.shared_values[layer], self.read) if self.read else None
        parents = self.parents if self.read else None
        y = decode(qkv[:, 0].contiguous(), len(first), norms, angles, own, self.start, shared, parents)
        return y[:, None]

    def _store(self, layer: int, k: Tensor, v: Tensor) -> None:
        """Make k, v, (kv_heads, B, n, D), a layer's newest columns."""
        before = self.used - k.shape[2]
        if not torch.is_grad_enabled():
            self._make_room(layer, k)
            self.keys[layer][..., before : self.used] = k.mT
            self.values[layer][:, :, before : self.used] = v
            return
        if before:  # nothing is written over, for gradients of earlier columns need it as it was
            k = torch.cat([self.keys[layer][..., :before].mT, k], 2)
            v = torch.cat([self.values[layer][:, :, :before], v], 2)
        self.keys[layer], self.values[layer] = k.mT, v

    def _mask(self, q: Tensor) -> Tensor:
        """(B, n, used): 0 where the n newest columns look, else LEAST."""
        if self._bias is None:
            column = torch.arange(self.used, device=q.device)
            newest = column[-q.shape[2] :]
            seen = (column >= self.start[:, None, None]) & (column <= newest[:, None])
            self._bias = torch.zeros(seen.shape, dtype=q.dtype, device=q.device).masked_fill_(~seen, LEAST)
        return self._bias

    def _make_room(self, layer: int, like: Tensor) -> None:
        """Enlarge the buffers of a layer's own columns if they are too small. like: (kv_heads, ..., D)."""
        used = self.used - self.read
        kept = (self.keys[layer], self.values[layer])
        old = kept[1].shape[2] if kept[1].ndim == 4 else 0
        if used <= old:
            return
        kv_heads, D = like.shape[0], like.shape[-1]
        room = -(-(used + used // 2) // LANES) * LANES
        values = like.new_zeros(kv_heads, len(self.start), room, D)
        keys = like.new_zeros(kv_heads, len(self.start), D, room)
        if old:
            values[:, :, :old] = kept[1]
            keys[..., :old] = kept[0]
        self.keys[layer], self.values[layer] = keys, values

    def keep(self, rows: Tensor) -> None:
        """Keep the rows of these places, in this order."""
        self.start, self.parents = self.start[rows], self.parents[rows]
        if self.used > self.read:
            self.keys, self.values = ([kept[:, rows] for kept in both] for both in (self.keys, self.values))

    def branch(self, rows: Tensor) -> None:
        """Go on with a row for each of these places, as often as they are named. What was read so far is
        stored once where the kernel can share it.
        """
        if self.read or not _has_kernel(self.values[0], self.values[0].shape[-1]):
            self.keep(rows)
            return
        self.shared_keys, self.shared_values = self.keys, self.values
        self.keys, self.values = ([torch.empty(0)] * len(self.keys) for _ in range(2))
        self.start, self.parents, self.read = self.start[rows], rows, self.used


def _has_kernel(x: Tensor, head_dim: int) -> bool:
    """Is `decode` for heads of this size, and numbers as x's where x lies? As plain Python it is for none."""
    known = x.device.type == "cpu" and x.dtype in NAMES.values()
    return known and head_dim % FEATURES == 0 and not interpreted()
