"""Directions by contrast: the difference of means of two groups of activations, and how far it holds.

    weights = contrast_weights(label, stratum)
    direction = weights @ rows                      # (features,)
    found = find(rows, label, stratum, group, seed=0)

Groups are compared within strata: the difference is between rows of one stratum, and strata that lack a
group say nothing. So what differs between strata alone (complexity, where each stratum is of one) makes no
direction. Difference of means: Marks and Tegmark 2023 (arXiv 2310.06824); of short and long traces: Sun et
al. 2025 (ThinkEdit, arXiv 2503.22048).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core import rng

SHUFFLES = 20  # of the labels, for what is found where nothing is
NOTHING = (
    "nothing can be contrasted: no stratum has both groups. Of lengths, sample each problem several times "
    "(fit.samples=8 fit.temperature=1), or take match=<a measure of complexity>; of lengths, parts and "
    "steps, take a run that writes traces"
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Direction:
    """A direction at a place, and what it is worth on rows that it was not made of.

    vector: (features,), of all rows; concordance: how often, within a stratum of the other half of the
    problems, a row of the first group lies further along a half's direction than one of the second (1/2: by
    chance); shuffled: the same with labels exchanged by problems, within strata, the mean; p: the share of
    such exchanges that come as high, itself counted; agreement: the cosine between the halves' directions; n:
    rows that count; problems: that these are of.
    """

    vector: Floats
    concordance: float
    shuffled: float
    p: float
    agreement: float
    n: int
    problems: int


def contrast_weights(label: Flags, stratum: Integers) -> Floats:
    """(n,): what each row weighs in the difference of the groups' means, first less second, within strata.

    A stratum counts by its smaller group. All zero if no stratum has both groups.
    """
    _, place = np.unique(stratum, return_inverse=True)
    first, second = (np.bincount(place, group, len(label)) for group in (label, ~label))
    smaller = np.minimum(first, second)
    share = np.where(
        label, smaller[place] / np.maximum(first, 1)[place], -smaller[place] / np.maximum(second, 1)[place]
    )
    return share / max(smaller.sum(), 1)


def find(rows: Floats, label: Flags, stratum: Integers, group: Integers, seed: int) -> Direction:
    """The direction of all rows (n, features), and how it holds in halves of the groups (problems).

    ValueError if no stratum has rows of both labels.
    """
    weights = contrast_weights(label, stratum)
    if not weights.any():
        raise ValueError(NOTHING)
    half = halves(group, seed)
    concordance, agreement = _held_out(rows, label, stratum, half)
    others = [
        _held_out(rows, exchanged(label, stratum, group, seed, k), stratum, half)[0] for k in range(SHUFFLES)
    ]
    p = (1 + sum(other >= concordance for other in others)) / (1 + SHUFFLES)
    counts = int(np.count_nonzero(weights)), len(np.unique(group[weights != 0]))
    return Direction(weights @ rows, concordance, float(np.mean(others)), p, agreement, *counts)


def halves(group: Integers, seed: int) -> Flags:
    """(n,): is a row of the first half of the groups?"""
    known, place = np.unique(group, return_inverse=True)
    order = rng.rng(seed, "val", 0, "halves").permutation(len(known))
    return order[place] < len(known) // 2


def exchanged(label: Flags, stratum: Integers, group: Integers, seed: int, k: int) -> Flags:
    """Labels exchanged by problems (groups), for the samples of one are near copies of each other.

    Of a problem that has its strata for itself all labels are turned, or none. Of problems that share one,
    those with as many rows exchange all their labels.
    """
    generator, found = rng.rng(seed, "val", k, "shuffled labels"), label.copy()
    _, place = np.unique(stratum, return_inverse=True)
    shared = (np.bincount(np.unique(np.stack([place, group]), axis=1)[0]) > 1)[place]
    alike: dict[tuple[int, int], list[Integers]] = {}
    for rows in _members(group):
        if shared[rows[0]]:
            alike.setdefault((int(place[rows[0]]), len(rows)), []).append(rows)
        elif generator.random() < 0.5:
            found[rows] = ~label[rows]
    return found[_changed_places(alike, len(label), generator)]


def by_problems(group: Integers, generator: np.random.Generator) -> Integers:
    """(n,): an order of the rows in which problems (groups) that have as many change places, each whole."""
    alike: dict[int, list[Integers]] = {}
    for rows in _members(group):
        alike.setdefault(len(rows), []).append(rows)
    return _changed_places(alike, len(group), generator)


def _changed_places(alike: Mapping[Any, list[Integers]], n: int, generator: np.random.Generator) -> Integers:
    """(n,): the row that comes to each place. alike: problems whose rows, equally many, change places."""
    order = np.arange(n)
    for problems in alike.values():
        order[np.stack(problems)] = generator.permutation(np.stack(problems))
    return order


def _held_out(rows: Floats, label: Flags, stratum: Integers, half: Flags) -> tuple[float, float]:
    """-> concordance on each half along the other's direction, the mean; cosine of the two directions."""
    parts = [np.flatnonzero(half), np.flatnonzero(~half)]
    vectors = [contrast_weights(label[part], stratum[part]) @ rows[part] for part in parts]
    found = [
        concordance_of(rows[part] @ vector, label[part], stratum[part])
        for part, vector in zip(parts, reversed(vectors), strict=True)
    ]
    norms = np.linalg.norm(vectors[0]) * np.linalg.norm(vectors[1])
    return float(np.mean(found)), float(vectors[0] @ vectors[1] / norms) if norms else 0.0


def concordance_of(values: Floats, label: Flags, stratum: Integers) -> float:
    """The share of pairs of one stratum, one of each label, in which the first label's value is larger.

    Ties count half; 1/2 if there is no pair.
    """
    larger = pairs = 0.0
    for rows in _members(stratum):
        first, second = values[rows][label[rows]], values[rows][~label[rows]]
        above = first[:, None] - second
        larger += float((above > 0).sum() + (above == 0).sum() / 2)
        pairs += above.size
    return larger / pairs if pairs else 0.5


def _members(stratum: Integers) -> list[Any]:
    """The rows of each stratum."""
    order = np.argsort(stratum, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(stratum[order])) + 1)
