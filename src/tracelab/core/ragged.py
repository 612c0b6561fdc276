"""Rows of unequal length in one flat array: the shape of every token, step and problem here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.core.arrays import Integers as Integers


@dataclass(frozen=True, slots=True)
class Ragged:
    """Row i is `values[offsets[i]:offsets[i + 1]]`.

    values: (total,) or (total, width); offsets: (n + 1,) int64, from 0 to total.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> NDArray[Any]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"row {i} of {len(self)}")
        i %= len(self)
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Rows' lengths, shape (n,)."""
        return np.diff(self.offsets)

    def slice(self, start: int, stop: int) -> Ragged:
        """Rows start..stop-1, without a copy of the values."""
        offsets = self.offsets[start : stop + 1]
        return Ragged(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])

    def take(self, rows: Integers) -> Ragged:
        """The given rows, in the given order."""
        lengths = self.lengths[rows]
        offsets = offsets_of(lengths)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Ragged(self.values[np.repeat(self.offsets[:-1][rows], lengths) + within], offsets)

    def replace(self, rows: Integers, others: Ragged) -> Ragged:
        """A copy in which row `rows[k]` is `others[k]`."""
        source = np.arange(len(self))
        source[rows] = len(self) + np.arange(len(others))
        return Ragged.concat([self, others]).take(source)

    def joined(self, others: Ragged) -> Ragged:
        """Row i of this, then row i of the other, as row i."""
        n = len(self)
        order = np.arange(2 * n).reshape(2, n).T.ravel()
        both = Ragged.concat([self, others]).take(order)
        return Ragged(both.values, np.ascontiguousarray(both.offsets[::2]))

    def between(self, start: Integers, lengths: Integers) -> Ragged:
        """A part of each row: `lengths` values from `start` on."""
        begin = self.offsets[:-1] + start
        edges = np.zeros(len(self.values) + 1, np.int8)
        np.add.at(edges, begin, 1)
        np.add.at(edges, begin + lengths, -1)
        inside = np.cumsum(edges[:-1], dtype=np.int8) == 1
        return Ragged(self.values[inside], offsets_of(lengths))

    @staticmethod
    def of(rows: Sequence[Sequence[int] | NDArray[Any]], dtype: type = np.int32) -> Ragged:
        """Ragged array of a list of 1-d rows."""
        arrays: list[NDArray[Any]] = [np.asarray(row, dtype=dtype) for row in rows]
        values = np.concatenate(arrays) if arrays else np.empty(0, dtype)
        return Ragged(values, offsets_of([len(row) for row in arrays]))

    @staticmethod
    def stack(rows: Sequence[Integers], width: int) -> Ragged:
        """Ragged array of a list of rows (length, width)."""
        values = np.concatenate([np.empty((0, width), np.int32), *rows])
        return Ragged(values, offsets_of([len(row) for row in rows]))

    @staticmethod
    def concat(parts: Sequence[Ragged]) -> Ragged:
        """All rows of all parts, in order."""
        values = np.concatenate([part.values for part in parts])
        return Ragged(values, offsets_of(np.concatenate([part.lengths for part in parts])))


def offsets_of(lengths: Sequence[int] | Integers) -> NDArray[np.int64]:
    """(n,) lengths -> (n + 1,) offsets."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)
