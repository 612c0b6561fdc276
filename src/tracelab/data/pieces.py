"""Training problems in pieces: a frozen set of any size, and the endless stream, in constant memory.

    chunks = Frozen(task, seed=0, split="train", count=10_000_000)
    chunks[chunks.piece(k)]                 # the problems that the k-th stretch of a training goes over

A set of up to PIECE problems is one piece and one file. A larger one is as many files as it takes, each read
when its turn comes, in another order at every pass. Treatments look for donors within a piece, so a rest of
less than a hundredth of one belongs to the piece before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

from tracelab.core import rng
from tracelab.core.types import Examples, Task
from tracelab.data.frozen import HERE, drawn, problems
from tracelab.data.workers import Workers

PIECE = 100_000  # problems


class Chunks(Protocol):
    """Where a training's problems come from. len: pieces that are looked at before training begins."""

    def __len__(self) -> int:
        """How many pieces the data card is about."""

    def __getitem__(self, piece: int) -> Examples:
        """The problems of a piece."""

    def size(self, piece: int) -> int:
        """How many they are."""

    def piece(self, k: int) -> int:
        """The piece whose turn is k-th."""


@dataclass(frozen=True)
class Frozen:
    """The first `count` problems of a split's stream. distinct: no problem twice, all in one piece."""

    task: Task
    seed: int
    split: str
    count: int
    distinct: bool = False
    workers: Workers = HERE

    def __len__(self) -> int:
        return 1 if self.distinct else max(1, -(-(self.count - PIECE // 100) // PIECE))

    def __getitem__(self, piece: int) -> Examples:
        """The problems of a piece, drawn now or before."""
        return problems(
            self.task,
            seed=self.seed,
            split=self.split,
            start=piece * PIECE,
            count=self.size(piece),
            distinct=self.distinct,
            workers=self.workers,
        )

    def size(self, piece: int) -> int:
        """How many problems a piece has."""
        return PIECE if piece < len(self) - 1 else self.count - piece * PIECE

    def piece(self, k: int) -> int:
        """The piece whose turn is k-th: every pass takes all, in an order of its own."""
        epoch, turn = divmod(k, len(self))
        return _order(self.seed, self.split, epoch, len(self))[turn]


@cache
def _order(seed: int, split: str, epoch: int, pieces: int) -> list[int]:
    order: list[int] = rng.rng(seed, split, epoch, "pieces").permutation(pieces).tolist()
    return order


@dataclass(frozen=True)
class Endless:
    """New problems for ever, `count` at a time; the card is about the first of them."""

    task: Task
    seed: int
    split: str
    count: int

    def __len__(self) -> int:
        return 1

    def __getitem__(self, piece: int) -> Examples:
        """The problems of a piece; some come again by chance in a small space."""
        start = piece * self.count
        return drawn(self.task, self.seed, self.split, "problem", start, start + self.count)

    def size(self, piece: int) -> int:
        """How many problems a piece has."""
        return self.count

    def piece(self, k: int) -> int:
        """One after another."""
        return k
