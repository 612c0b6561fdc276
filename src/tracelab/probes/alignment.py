"""Directions carried from one model to another, of any width, by a linear map of low rank.

    found = align(source, target, group, rank=16, seed=0)    # what both have where they read the same tokens
    carried = direction @ found.map

Each side is reduced to its leading principal directions, as many as the rank, and the target's coordinates
along its own are fitted to the source's by least squares. Whether the two have anything in common is told by
problems that the map was not fitted to, and beside that by the same with tokens exchanged by problems.

The idea, with rank, layers and scale as knobs: Balasubramanian et al. 2026 (UNLOCK, arXiv 2604.06377).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tracelab.core import rng
from tracelab.probes.activations import Written
from tracelab.probes.directions import SHUFFLES, Direction, Flags, Floats, Integers, by_problems, halves


@dataclass(frozen=True)
class Tokens:
    """Tokens of n texts at which activations are read: which text, and the token's place there."""

    text: Integers
    word: Integers


@dataclass(frozen=True)
class Alignment:
    """A map, (features of the source, features of the target), of activations and of directions.

    explained: R², the share of the target's variance that the map predicts in the other half of the problems;
    exchanged: the same with tokens exchanged by problems, the mean; p: the share of such exchanges that come
    as high, itself counted.
    """

    map: Floats
    explained: float
    exchanged: float
    p: float


@dataclass(frozen=True)
class Carried(Direction):
    """A direction that was found in another model; vector: in this one, all else as it was found there.

    source: the place there; rank: of the map, at most; explained, exchanged, aligned_p: see `Alignment`.
    """

    source: str
    rank: int
    explained: float
    exchanged: float
    aligned_p: float


def tokens(written: Written, each: int, seed: int, room: int) -> Tokens:
    """Tokens of each completion that are read, so many, drawn at random. room: tokens that can be read."""
    text, word = [], []
    for i, (prompt, completion) in enumerate(zip(written.prompts, written.completions, strict=True)):
        read = max(0, min(len(completion) - 1, room - len(prompt)))
        drawn = rng.rng(seed, "val", i, "aligned").permutation(read)[:each]
        text += [i] * len(drawn)
        word += (len(prompt) + np.sort(drawn)).tolist()
    return Tokens(np.array(text, np.int64), np.array(word, np.int64))


def align(source: Floats, target: Floats, group: Integers, rank: int, seed: int) -> Alignment:
    """The map from rows (n, features) of the source to those of the target. group: (n,) problems.

    Tokens of one problem resemble each other, so `exchanged` and `p` are of tokens exchanged by problems:
    those of one stand, in their order, beside those of another that has as many.
    """
    half = halves(group, seed)
    explained = _held_out(source, target, half, rank)
    others = []
    for k in range(SHUFFLES):
        order = by_problems(group, rng.rng(seed, "val", k, "exchanged tokens"))
        others.append(_held_out(source, target[order], half, rank))
    p = (1 + sum(other >= explained for other in others)) / (1 + SHUFFLES)
    return Alignment(_fitted(source, target, rank), explained, float(np.mean(others)), p)


def carry(found: Direction, source: str, alignment: Alignment, rank: int) -> Carried:
    """A direction of the source, as one of the target."""
    known: dict[str, Any] = vars(found) | {"vector": found.vector @ alignment.map}
    return Carried(
        **known,
        source=source,
        rank=rank,
        explained=alignment.explained,
        exchanged=alignment.exchanged,
        aligned_p=alignment.p,
    )


def as_deep(place: str, layers: int, of: int) -> str:
    """The place in a model of `of` layers that lies as deep as this one in a model of so many layers."""
    block, _, rest = place.partition(".")
    if block != "blocks":
        return place
    number, _, part = rest.partition(".")
    layer = round(int(number) * (of - 1) / max(layers - 1, 1))
    return f"blocks.{layer}{'.' if part else ''}{part}"


def _held_out(source: Floats, target: Floats, half: Flags, rank: int) -> float:
    """R² on each half of the map that was fitted to the other, the mean."""
    found = []
    for train in (half, ~half):
        map, middle = _fitted(source[train], target[train], rank), source[train].mean(0)
        mine = target[~train] - target[train].mean(0)
        rest = mine - (source[~train] - middle) @ map
        found.append(1 - float((rest**2).sum() / max((mine**2).sum(), 1e-30)))
    return float(np.mean(found))


def _fitted(source: Floats, target: Floats, rank: int) -> Floats:
    """Least squares between the leading principal coordinates of both."""
    axes = [_principal(rows, rank) for rows in (source, target)]
    one, other = ((rows - rows.mean(0)) @ axis for rows, axis in zip((source, target), axes, strict=True))
    between, *_ = np.linalg.lstsq(one, other, rcond=None)
    map: Floats = axes[0] @ between @ axes[1].T
    return map


def _principal(rows: Floats, rank: int) -> Floats:
    """(features, at most rank): the directions along which rows vary most."""
    _, axes = np.linalg.eigh(np.cov(rows, rowvar=False))
    leading: Floats = axes[:, ::-1][:, :rank]
    return leading
