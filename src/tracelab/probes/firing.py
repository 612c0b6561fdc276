"""What makes transcoders' features fire: kinds of steps, places within a step, words.

    for row in features(model, transcoders, written, task, least=1e-3): ...

A feature fires at a token that the model has read. How much it fires there is what it adds, as a norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core.ragged import Ragged
from tracelab.core.types import Task
from tracelab.decoding.logprobs import MICRO_TOKENS, micro_batches
from tracelab.models.base import Model
from tracelab.models.places import capture
from tracelab.probes.activations import OTHER, SOLUTION, Floats, Written
from tracelab.probes.diffing import real_tokens
from tracelab.probes.transcoders import Transcoders, adapted

PROMPT = -3  # the part of a text that stands before its completion
BESIDE = {SOLUTION: "solution", OTHER: "other", PROMPT: "prompt"}


@dataclass(frozen=True)
class Fired:
    """A layer's features over all tokens that were read, in cells: a word, its part and its place in a step.

    tokens: (cells,); added, times: (features, cells), norms of what is added there, in sum, and how often it
    is anything; mlp: the norm of what the MLP gives without them, in sum.
    """

    tokens: Floats
    added: Floats
    times: Floats
    mlp: float


def labels(task: Task, written: Written) -> tuple[list[tuple[str, int, str]], Ragged]:
    """What the cells are, (part, place in its step, word) each; and the cell of each token of each text."""
    kinds = dict(enumerate(task.codec.format.trace)) | BESIDE
    words, rows = task.codec.vocabulary, []
    for prompt, completion, parts, within in zip(
        written.prompts, written.completions, written.parts, written.within, strict=True
    ):
        before = np.column_stack([np.full(len(prompt), PROMPT), np.zeros(len(prompt), np.int64), prompt])
        rows.append(np.concatenate([before, np.column_stack([parts, within, completion])]))
    known, cells = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    names = [(kinds[part], int(place), words[word]) for part, place, word in known.tolist()]
    return names, Ragged(cells.ravel(), np.cumsum([0, *map(len, rows)]))


@torch.no_grad()
def fired(model: Model, transcoders: Transcoders, written: Written, cells: Ragged, count: int) -> list[Fired]:
    """Each layer's features, counted over the completions and their prompts. count: of cells."""
    device, layers = model.device, range(len(transcoders))
    size = transcoders[0].kept.numel()
    tokens = torch.zeros(count, dtype=torch.float64, device=device)
    added, times = (torch.zeros(len(layers), size, count, dtype=torch.float64, device=device) for _ in "at")
    mlp = [0.0 for _ in layers]
    places = [f"blocks.{layer}.mlp" for layer in layers]
    for micro in micro_batches(written.prompts, written.completions, MICRO_TOKENS):
        real = real_tokens(written, micro)
        here = _cells(cells, micro.rows.numpy(), real).to(device)
        tokens.index_add_(0, here, torch.ones_like(here, dtype=torch.float64))
        # what was hooked first sees what the MLP gives, before features are added
        with capture(model, *places) as seen, adapted(model, transcoders) as found, model.computing():
            model.hidden(micro.tokens.to(device))
        for layer in layers:
            values = found[layer][real.to(device)].double() * transcoders[layer].norms
            added[layer].index_add_(1, here, values.T)
            times[layer].index_add_(1, here, (values > 0).double().T)
            whole = seen.whole(places[layer])[real.to(device)].double()
            mlp[layer] += float(torch.linalg.vector_norm(whole, dim=-1).sum())
    arrays = (list(whole.cpu().numpy()) for whole in (added, times))
    of = tokens.cpu().numpy()
    return [Fired(of, *parts) for parts in zip(*arrays, mlp, strict=True)]


def _cells(cells: Ragged, rows: NDArray[np.int64], real: Tensor) -> Tensor:
    """The cells of a micro-batch's tokens, in the order in which the mask `real` lays them out."""
    read = [cells[int(row)][:length] for row, length in zip(rows, real.sum(1).tolist(), strict=True)]
    return torch.from_numpy(np.concatenate(read))


@torch.no_grad()
def features(
    model: Model, transcoders: Transcoders, written: Written, task: Task, least: float
) -> Iterator[dict[str, Any]]:
    """A row for each feature that adds no less than that share of what its MLP gives, as mean norms.

    layer, feature; added: that share; mlp_share: what its MLP gives, as a share of what all MLPs give; fires:
    the share of tokens; kind, place, word: the part of a text, the
    place in its steps and the word at which it adds most, each with its share of all that the feature adds
    (`_added`) and of all tokens (`_tokens`); read, bias, written: its row of W, its b, its column of V.
    """
    names, cells = labels(task, written)
    layers = fired(model, transcoders, written, cells, len(names))
    every = sum(part.mlp for part in layers)
    for layer, part in enumerate(layers):
        whole, transcoder = part.added.sum(1), transcoders[layer]
        for k in np.flatnonzero(whole >= max(least * part.mlp, 1e-30)).tolist():
            yield {
                "layer": layer,
                "feature": k,
                "added": float(whole[k] / part.mlp),
                "mlp_share": part.mlp / every,
                "fires": float(part.times[k].sum() / part.tokens.sum()),
                **_where(names, part.added[k], part.tokens),
                "read": transcoder.encode.weight[k].tolist(),
                "bias": transcoder.encode.bias[k].item(),
                "written": transcoder.decode.weight[:, k].tolist(),
            }


def _where(names: list[tuple[str, int, str]], added: Floats, tokens: Floats) -> dict[str, Any]:
    """Where a feature adds most: the kind of step (or other part), the place in those, the word."""
    found: dict[str, Any] = {}
    kinds = np.array([kind for kind, _, _ in names])
    for name, values in (
        ("kind", kinds),
        ("place", np.array([place for _, place, _ in names])),
        ("word", np.array([word for _, _, word in names])),
    ):
        inside = kinds == found["kind"] if name == "place" else np.ones(len(names), np.bool_)
        known, group = np.unique(values, return_inverse=True)
        sums, counts = (np.bincount(group, weights * inside, len(known)) for weights in (added, tokens))
        best = int(sums.argmax())
        found[name] = known[best].item()
        found[f"{name}_added"] = float(sums[best] / added.sum())
        found[f"{name}_tokens"] = float(counts[best] / tokens.sum())
    return found
