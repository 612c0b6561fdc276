"""One new token per row, decoded over a cache on CPUs: what `cache.Cache` calls instead of torch's attention.

torch's products of a matrix with a single row are bound by calls and, in bfloat16, by conversions; the
kernel (`models.decode_kernel`) is bound by reading the cache. As no Python runs in it, batches decode side by
side on several cores.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tracelab.models.decode_kernel import Stored, step
from tracelab.models.past import Norms


class Columns(NamedTuple):
    """keys: (kv_heads, B, D, room), values: (kv_heads, B, room, D), both float32 or both bfloat16; used: how
    many columns. D is a multiple of FEATURES, room one of LANES.
    """

    keys: Tensor
    values: Tensor
    used: int


def decode(
    qkv: Tensor,
    kv_heads: int,
    norms: Norms | None,
    angles: tuple[Tensor, Tensor],
    own: Columns,
    start: Tensor,
    shared: Columns | None = None,
    parents: Tensor | None = None,
) -> Tensor:
    """Norm and rotate a token's queries and keys, store its keys and values, and attend.

    qkv: (B, (heads + 2 kv_heads) * D), float32 or bfloat16 as the columns are; angles: of
    `layers.angles_at`, (B, 1, D) each; own: columns of each row, the last of which is this token's and is
    written; start: (B,) the first that is looked at; shared: columns before the rows' own, of P rows;
    parents: (B,) whose each row has. -> (B, heads * D), without gradient.
    """
    rows, D = len(qkv), own.values.shape[3]
    split = qkv.view(rows, -1, D)
    out = torch.empty_like(qkv[:, : (split.shape[1] - 2 * kv_heads) * D])
    gains = torch.empty(0, D) if norms is None else norms.gains
    cos, sin = (_bits(part.expand(rows, 1, D).reshape(rows, D)) for part in angles)
    mine = _bits(own.keys), _bits(own.values), own.used
    read = 0 if shared is None else shared.used
    theirs = mine[:2] if shared is None else (_bits(shared.keys), _bits(shared.values))
    whose = (start if parents is None else parents).numpy()
    written = _bits(out.view(rows, -1, D))
    eps = np.float32(0.0 if norms is None else norms.eps)
    step(_bits(split), gains.numpy(), eps, cos, sin, *mine, *theirs, read, whose, start.numpy(), written)
    return out


def _bits(x: Tensor) -> Stored:
    """An array over the same memory: float32, or the 16 bits of bfloat16."""
    numbers: Stored = x.view(torch.int16).numpy().view(np.uint16) if x.element_size() == 2 else x.numpy()
    return numbers
