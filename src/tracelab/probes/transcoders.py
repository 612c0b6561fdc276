"""Transcoder adapters: sparse features beside a model's MLPs that stand for what a training did to them.

    transcoders = beside(before, features=256, seed=0)
    with adapted(before, transcoders):
        before(tokens)          # exactly as before; once they are trained, nearly what the model after says

A transcoder reads what its MLP reads and adds to what that gives: mlp(x) + V relu(W x + b). V is zero at
first, so that the adapted model is exactly the model. `diffing` trains them.

Hu et al. 2026 (arXiv 2602.20904), who add a constant as well; here all that is added is a feature's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import local

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from tracelab.models.base import Model, drawing
from tracelab.models.places import Change, change


class Transcoder(nn.Module):
    """(..., width) -> (..., width), through sparse features; see the module's head.

    kept: (features,) ones, and zeros for features that are removed.
    """

    def __init__(self, width: int, features: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encode = nn.Linear(width, features)
        self.decode = nn.Linear(features, width, bias=False)
        with torch.no_grad():
            self.encode.weight.uniform_(-(width**-0.5), width**-0.5, generator=generator)
            self.encode.bias.zero_()
            self.decode.weight.zero_()
        self.kept: Tensor
        self.register_buffer("kept", torch.ones(features))

    def features(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., features), each 0 or more. x: of any precision, as the model computes."""
        return relu(self.encode(x.to(self.encode.weight.dtype))) * self.kept

    @property
    def norms(self) -> Tensor:
        """(features,): the norm of what a feature of 1 adds."""
        return torch.linalg.vector_norm(self.decode.weight, dim=0)


Transcoders = Sequence[Transcoder]  # one for each layer


def beside(model: Model, features: int, seed: int) -> list[Transcoder]:
    """A transcoder for each layer of a model, that changes nothing yet."""
    width, generator = model.embed.embedding_dim, drawing(seed, "transcoders")
    return [Transcoder(width, features, generator).to(model.device) for _ in model.blocks]


class Last(local):
    """Layer -> its features, of what the model has read last in this thread: batches run side by side."""

    def __init__(self) -> None:
        self.features: dict[int, Tensor] = {}


@contextmanager
def adapted(model: Model, transcoders: Transcoders) -> Iterator[dict[int, Tensor]]:
    """While the context lasts, the MLPs give what their transcoders add, too.

    -> layer -> its features, (B, T, features), of what the model has read last, in the caller's thread.
    """
    found = Last()

    def read(layer: int) -> Change:
        def features(x: Tensor) -> Tensor:
            found.features[layer] = transcoders[layer].features(x)
            return x

        return features

    def add(layer: int) -> Change:
        return lambda y: y + transcoders[layer].decode(found.features[layer]).to(y.dtype)

    changes: dict[str, Change] = {}
    for layer in range(len(transcoders)):
        changes |= {f"blocks.{layer}.mlp_in": read(layer), f"blocks.{layer}.mlp": add(layer)}
    with change(model, changes):
        yield found.features


@contextmanager
def without(transcoders: Transcoders, removed: Sequence[tuple[int, int]]) -> Iterator[None]:
    """While the context lasts, these features, (layer, feature) each, are zero."""
    try:
        for layer, feature in removed:
            transcoders[layer].kept[feature] = 0.0
        yield
    finally:
        for layer, feature in removed:
            transcoders[layer].kept[feature] = 1.0
