"""What a model computes inside, read and changed at named places.

    with capture(model, "blocks.1", "norm") as seen:
        model(tokens)
    seen.whole("blocks.1")                               # (B, T, width)
    with change(model, {"blocks.1": add(direction)}):
        generate(model, prompts, ...)                    # a token at a time, and changed at each

The places, of every model in `conf/model/`:

    embed             embeddings of the tokens
    blocks.I          the residual stream after layer I
    blocks.I.heads    what its attention found, heads side by side; before its last matrix
    blocks.I.mixing   what its attention adds to the stream
    blocks.I.mlp_in   what its MLP reads: the stream, normed
    blocks.I.neurons  what its MLP found; before its last matrix
    blocks.I.mlp      what its MLP adds to the stream
    norm              the last norm's result, which the head reads

A recurrent model's recurrence stands in the place of attention. All are (B, T, features); with a past, T are
the new tokens. Tokens of padding have values, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tracelab.models.base import Model

Change = Callable[[Tensor], Tensor]  # (B, T, features) -> the same shape

# What a layer has -> the module that has it, and whether it is what goes in or what comes out.
WITHIN = {
    "heads": ("out", True),
    "mixing": ("out", False),
    "mlp_in": ("mlp_norm", False),
    "neurons": ("down", True),
    "mlp": ("down", False),
}
PLACE = re.compile(r"embed|norm|blocks\.(\d+)(?:\.(\w+))?")


class Seen(dict[str, list[Tensor]]):
    """Place -> what was there, a tensor for each call of the model."""

    def whole(self, place: str) -> Tensor:
        """(B, T, features): the calls' tokens behind one another, as a prompt and one batch's samples."""
        return torch.cat(self[place], 1)


def in_columns(model: Model, tokens: Tensor, seen: Seen, place: str) -> Tensor:
    """(B, T, features): what was there when the model read these (B, T) tokens, each in its own column."""
    there = seen.whole(place)
    if place == "embed":  # before rows are moved
        return there
    column = torch.arange(tokens.shape[1], device=tokens.device) + model.shift(tokens)[:, None]
    return there.gather(1, column[..., None].expand(-1, -1, there.shape[2]))


def places(model: Model) -> list[str]:
    """All places of a model, from the embedding to the last norm."""
    layers = [f"blocks.{i}" for i in range(len(model.blocks))]
    inside = [name for layer in layers for name in (*(f"{layer}.{part}" for part in WITHIN), layer)]
    return ["embed", *inside, "norm"]


def check_places(model: Model, names: Iterable[str]) -> None:
    """ValueError if the model has no such place."""
    for name in names:
        _module(model, name)


@contextmanager
def capture(model: Model, *names: str) -> Iterator[Seen]:
    """What the model has at these places, while the context lasts. ValueError if there is no such place."""
    seen = Seen({name: [] for name in names})

    def keep(name: str) -> Change:
        def kept(x: Tensor) -> Tensor:
            seen[name].append(x if torch.is_grad_enabled() else x.detach())
            return x

        return kept

    with change(model, {name: keep(name) for name in names}):
        yield seen


@contextmanager
def change(model: Model, changes: Mapping[str, Change]) -> Iterator[None]:
    """While the context lasts, the model goes on with what the functions make of what it has at each place.

    Contexts nest: what the outer one made reaches the inner one. ValueError if there is no such place.
    """
    modules = {name: _module(model, name) for name in changes}  # all names are known, or nothing is hooked
    with ExitStack() as stack:
        for name, function in changes.items():
            stack.callback(_hook(*modules[name], function).remove)
        yield


def add(vector: Tensor, scale: float = 1.0) -> Change:
    """Change that adds scale * vector, (features,) or of a shape that broadcasts to (B, T, features)."""
    return lambda x: x + scale * vector.to(x)


def replace(value: Tensor) -> Change:
    """Change that puts the value in place of what was there, broadcast to its shape."""
    return lambda x: value.to(x).expand_as(x)


def project_out(vector: Tensor) -> Change:
    """Change that takes away the part along the vector (features,)."""
    unit = vector / vector.norm()
    return lambda x: x - (x @ unit.to(x))[..., None] * unit.to(x)


def _module(model: Model, name: str) -> tuple[nn.Module, bool]:
    """The module whose result a place is, or whose argument if the second is True."""
    found = PLACE.fullmatch(name)
    if not found or (found[1] and int(found[1]) >= len(model.blocks)) or found[2] not in (None, *WITHIN):
        raise ValueError(f"the model has no place {name!r}; choose from {', '.join(places(model))}")
    if found[1] is None:
        return model.get_submodule(name), False
    part, before = WITHIN.get(found[2], ("", False))
    return model.get_submodule(f"blocks.{found[1]}{'.' if part else ''}{part}"), before


def _hook(module: nn.Module, before: bool, function: Change) -> RemovableHandle:
    if before:
        return module.register_forward_pre_hook(lambda _, given: (function(given[0]), *given[1:]))

    def after(_: nn.Module, __: Any, result: Any) -> Any:
        return (function(result[0]), *result[1:]) if isinstance(result, tuple) else function(result)

    return module.register_forward_hook(after)
