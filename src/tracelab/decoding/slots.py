"""Keys and values of sequences in slots of one size: what a step of fixed shapes reads and writes.

All memory is allocated once. A sequence lies in columns 0, 1, ... of its slot; what is behind its newest
column is masked. Prompts are read packed, one behind the other, and their keys and values put into slots,
those of one prompt into as many as it has samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from tracelab.batches.documents import BLOCK, Documents
from tracelab.models.attention import look_within
from tracelab.models.gpt import GPT
from tracelab.models.past import Past

SHARE = 0.8  # of the free memory is for slots; reading prompts takes some, too
GROWTH = 1.25  # one width of what is looked at to the next


class Slots(NamedTuple):
    """keys, values: of each layer (slots, kv_heads, room, D)."""

    keys: list[Tensor]
    values: list[Tensor]

    @staticmethod
    def empty(model: GPT, slots: int, room: int) -> Slots:
        """Zeros, as a column that is masked must be a number; in the model's dtype and on its device."""
        kv_heads, D, layers = _shape(model)
        like = model.embed.weight
        keys, values = (
            [torch.zeros(slots, kv_heads, room, D, dtype=like.dtype, device=like.device) for _ in layers]
            for _ in range(2)
        )
        return Slots(keys, values)

    def keep(self, slots: Tensor, columns: int) -> None:
        """Move the first columns of these slots to the front."""
        for kept in (*self.keys, *self.values):
            kept[: len(slots), :, :columns] = kept[slots, :, :columns]


def slot_bytes(model: GPT, room: int) -> int:
    """Bytes of one slot's keys and values, in the model's dtype. room: columns."""
    kv_heads, D, layers = _shape(model)
    return 2 * len(layers) * kv_heads * room * D * model.embed.weight.element_size()


def slots_for(wanted: int, each: int, free: float, room: int) -> int:
    """How many slots of `each` bytes are made where so many bytes are free."""
    fit = int(min(wanted, SHARE * free // each))
    if fit < 1:
        raise ValueError(
            f"keys and values of one sequence of {room} tokens take {each / 2**30:.2f} GiB, but only "
            f"{free / 2**30:.2f} GiB are free on the device: lower max_new or free memory"
        )
    return fit


def _shape(model: GPT) -> tuple[int, int, range]:
    block: Any = model.blocks[0]
    return block.heads[1], block.head_dim, range(len(model.blocks))


def widths(columns: int) -> int:
    """The least of a few widths that has so many columns: each is GROWTH times the last, or a bit more.

    They are multiples of BLOCK, as attention's kernels want aligned masks.
    """
    width = BLOCK
    while width < columns:
        width = -(-int(width * GROWTH + 1) // BLOCK) * BLOCK
    return width


class Newest(Past):
    """The past of one new token in each of the first rows of the slots. GPT.hidden stores and looks here.

    column: (B,) where each row's token goes; columns: (width,) 0, 1, ..., those that are looked at.
    """

    def __init__(self, slots: Slots, column: Tensor, columns: Tensor) -> None:
        self.slots, self.column = slots, column
        dtype = slots.keys[0].dtype
        seen = columns <= column[:, None]
        self.bias = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, -torch.inf)

    def advance(self, n: int) -> Tensor:
        """(B, 1): the tokens' places."""
        assert n == 1, "one token at a time"
        return self.column[:, None]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store k, v, (kv_heads, B, 1, D), and let q, (heads, B, 1, D), look at their rows' columns."""
        keys, values = self.slots.keys[layer], self.slots.values[layer]
        # heads that share keys are as good as queries in a row: no kernel for groups is needed
        grouped = q[:, :, 0].transpose(0, 1).unflatten(1, (len(k), -1))  # (B, kv_heads, group, D)
        k, v = k.transpose(0, 1), v.transpose(0, 1)
        y = store_and_look(keys, values, k, v, grouped, self.column, self.bias)
        return y.flatten(1, 2).transpose(0, 1)[:, :, None]


@torch.library.custom_op("tracelab::store_and_look", mutates_args=("keys", "values"))
def store_and_look(
    keys: Tensor, values: Tensor, k: Tensor, v: Tensor, q: Tensor, column: Tensor, bias: Tensor
) -> Tensor:
    """Write a column of each of the first B slots, then softmax(q keysᵀ / √D + bias) values.

    k, v: (B, kv_heads, 1, D); q: (B, kv_heads, group, D) -> the same; column: (B,); bias: (B, width).
    It is one operation to the compiler, which so neither copies the slots nor meets their size.
    """
    B, width = bias.shape
    place = column[:, None, None, None].expand(k.shape)
    keys[:B].scatter_(2, place, k)
    values[:B].scatter_(2, place, v)
    looked = keys[:B, :, :width], values[:B, :, :width]
    with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):  # cuDNN would plan for each width
        return scaled_dot_product_attention(q, *looked, attn_mask=bias[:, None, None]).contiguous()


@store_and_look.register_fake
def _(keys: Tensor, values: Tensor, k: Tensor, v: Tensor, q: Tensor, column: Tensor, bias: Tensor) -> Tensor:
    return q.new_empty(q.shape)


class Places(NamedTuple):
    """Where packed prompts go: token source[i] of the row to column[i] of slot[i], each (M,)."""

    source: Tensor
    slot: Tensor
    column: Tensor


class Reading(Past):
    """The past of prompts in one packed row: each its own; keys and values go to slots.

    documents: of one row; kernel: of `models.attention`.
    """

    def __init__(self, slots: Slots, documents: Documents, kernel: str, places: Places) -> None:
        self.slots, self.documents, self.places = slots, documents, places
        self.look = look_within(documents, kernel)

    def advance(self, n: int) -> Tensor:
        """(1, n): places in prompts."""
        return self.documents.place

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store k, v, (kv_heads, 1, n, D), and let q, (heads, 1, n, D), look within prompts."""
        source, slot, column = self.places
        self.slots.keys[layer][slot, :, column] = k[:, 0, source].transpose(0, 1)
        self.slots.values[layer][slot, :, column] = v[:, 0, source].transpose(0, 1)
        return self.look(q, k, v)
