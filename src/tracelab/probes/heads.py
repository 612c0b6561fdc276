"""Attention heads that write a direction, and their matrices without it (ThinkEdit, arXiv 2503.22048).

    order = contributions(model, found).ravel().argsort()
    with edited(model, order[:4], stream_directions(model, found)): ...

A head writes into the stream through its columns of the matrix after attention, `out`. Edited are those heads
that in the second group (short traces, say) write most against the direction that leads to the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tracelab.models.base import Model
from tracelab.models.gpt import GPT
from tracelab.probes.activations import Floats
from tracelab.probes.contrasts import Contrast
from tracelab.probes.directions import Integers, contrast_weights


def places(model: Model) -> list[str]:
    """Where heads and what they write to are read. ValueError of a model without attention."""
    if not isinstance(model, GPT):
        raise ValueError(
            f"ways=[edit_heads] edits attention heads, and a {type(model).__name__} has none: leave it out"
        )
    return [place for i in range(len(model.blocks)) for place in (f"blocks.{i}", f"blocks.{i}.heads")]


def stream_directions(model: Model, found: Contrast) -> list[Tensor]:
    """The contrast's unit direction in the stream after each layer."""
    weights = contrast_weights(found.label, found.stratum)
    vectors = (torch.from_numpy(weights @ found.rows[f"blocks.{i}"]) for i in range(len(model.blocks)))
    return [vector / vector.norm().clamp(min=1e-12) for vector in vectors]


def contributions(model: Model, found: Contrast) -> Floats:
    """(layers, heads): how far each head moves the second group along the layer's direction, the mean."""
    second = (contrast_weights(found.label, found.stratum) != 0) & ~found.label
    rows = []
    for i, unit in enumerate(stream_directions(model, found)):
        block: Any = model.blocks[i]
        read = torch.from_numpy(found.rows[f"blocks.{i}.heads"][second].mean(0))
        written = read * (unit @ block.out.weight.detach().double().cpu())
        rows.append(written.view(-1, block.head_dim).sum(1).numpy())
    return np.stack(rows)


@contextmanager
def edited(model: Model, chosen: Integers, units: list[Tensor]) -> Iterator[None]:
    """While the context lasts, these heads write nothing along their layers' directions.

    chosen: numbers of heads, counted through all layers; units: a unit direction of each layer.
    """
    blocks: list[Any] = list(model.blocks)
    kept = [block.out.weight.detach().clone() for block in blocks]
    count = blocks[0].heads[0]
    try:
        with torch.no_grad():
            for layer, head in (divmod(number, count) for number in chosen.tolist()):
                weight, size = blocks[layer].out.weight, blocks[layer].head_dim
                columns, unit = weight[:, head * size : (head + 1) * size], units[layer].to(weight)
                columns -= torch.outer(unit, unit @ columns)
        yield
    finally:
        with torch.no_grad():
            for block, weight in zip(blocks, kept, strict=True):
                block.out.weight.copy_(weight)
