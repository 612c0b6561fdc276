"""Task vectors: what a training did to the weights, as a vector that is scaled, summed and looked at.

    vector = difference(tuned, base)                       # name -> tensor, float64
    moved(base, total([vector, other], [1.0, -1.0]), scale=0.5)

Everything is done by matrix: parameters that are several matrices on top of each other (`Model.parts`) are
taken apart. Sources: Ilharco et al. 2022 (arXiv 2212.04089) for the arithmetic; mergekit for its words; Yadav
et al. 2023 (arXiv 2306.01708) for trimming; Roy and Vetterli 2007 for the effective rank; Mukherjee et al.
2025 (arXiv 2505.11711) for the share of weights that a training changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from tracelab.core import rng

Weights = Mapping[str, Tensor]  # a model's parameters by name, or differences of them
Stacks = Mapping[str, tuple[int, ...]]  # parameter -> rows of each of its matrices


def difference(tuned: Weights, base: Weights, gains: bool = True) -> dict[str, Tensor]:
    """The task vector of a training, float64. gains: with norms' gains; else they count as unchanged."""
    left_out = [name for name, weight in base.items() if is_gain(name, weight)] if not gains else []
    return {
        name: torch.zeros_like(weight, dtype=torch.float64)
        if name in left_out
        else tuned[name].double() - weight.double()
        for name, weight in base.items()
    }


def is_gain(name: str, weight: Tensor) -> bool:
    """Is a parameter the gain of a norm? All that is no matrix is, but for biases and latents' feeds."""
    return weight.ndim == 1 and not name.endswith(("bias", "feed.vector", "feed.factor"))


def total(vectors: Sequence[Weights], weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted sum of task vectors."""
    pairs = list(zip(vectors, weights, strict=True))
    return {
        name: sum((w * v[name] for v, w in pairs[1:]), pairs[0][1] * pairs[0][0][name]) for name in vectors[0]
    }


def moved(base: Weights, vector: Weights, scale: float = 1.0) -> dict[str, Tensor]:
    """The base's weights plus scale times the vector, as float32."""
    return {name: (weight.double() + scale * vector[name]).float() for name, weight in base.items()}


def trimmed(vector: Weights, density: float, stacks: Stacks) -> dict[str, Tensor]:
    """The vector with the largest entries of each matrix, so many as the density says; the others are 0."""

    def largest(_: str, matrix: Tensor) -> Tensor:
        kept = round(density * matrix.numel())
        order = matrix.abs().flatten().argsort(descending=True, stable=True)
        mask = torch.zeros(matrix.numel(), dtype=torch.bool)
        mask[order[:kept]] = True
        return matrix * mask.view_as(matrix)

    return dict(vector) if density == 1.0 else _each(vector, stacks, largest)


def random_like(vector: Weights, seed: int, stacks: Stacks) -> dict[str, Tensor]:
    """A vector of normal numbers that has, in each matrix, the norm that the given one has there."""

    def noise(name: str, matrix: Tensor) -> Tensor:
        drawn = rng.rng(seed, "weights", 0, name).standard_normal(tuple(matrix.shape))
        direction = torch.from_numpy(drawn)
        return direction * (matrix.norm() / direction.norm())

    return _each(vector, stacks, noise)


def matrices(vector: Weights, stacks: Stacks) -> Iterator[tuple[str, Tensor]]:
    """Names and matrices: `blocks.0.qkv.weight.1` is the second in its stack."""
    for name, whole in vector.items():
        parts = whole.split(list(stacks[name])) if name in stacks else (whole,)
        for k, part in enumerate(parts):
            yield (f"{name}.{k}" if name in stacks else name), part


def _each(vector: Weights, stacks: Stacks, function: Callable[[str, Tensor], Tensor]) -> dict[str, Tensor]:
    """The vector with each of its matrices as the function makes it."""
    made: dict[str, list[Tensor]] = {}
    for name in vector:
        for part, matrix in matrices({name: vector[name]}, stacks):
            made.setdefault(name, []).append(function(part, matrix))
    return {name: torch.cat(parts) for name, parts in made.items()}


def effective_rank(matrix: Tensor) -> float | None:
    """The exponential of the entropy of a matrix's singular values, taken as shares of their sum.

    k if k of them are equal and the others 0. None of what is no matrix, or zero.
    """
    if matrix.ndim != 2 or not matrix.any():
        return None
    shares = torch.linalg.svdvals(matrix)
    shares = shares[shares > 0] / shares.sum()
    return float((-(shares * shares.log()).sum()).exp())


def cosine(one: Tensor, other: Tensor) -> float | None:
    """The cosine between two tensors taken as vectors; None if one of them is zero."""
    norms = float(one.norm() * other.norm())
    return float((one * other).sum()) / norms if norms else None
