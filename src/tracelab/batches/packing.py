"""Sequences -> packed batches of one shape: whole sequences end to end in rows of a fixed length.

    loader = Loader(chunk, batch_tokens=65_536, packing=8192, context=model.context, seed=0)

Why: a padded batch of any length is a new shape, and its short rows leave a GPU idle; here every batch is
`batch_tokens / packing` rows of `packing` columns. No sequence is cut, and none sees another
(`models.attention`), so the loss is that of padded batches of the same sequences.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.batches.documents import BLOCK, Documents
from tracelab.batches.padding import Counts, count
from tracelab.core import rng
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged, offsets_of

PROMPT, TRACE, SOLUTION = range(3)  # what a target is part of; padding counts as prompt: it has no loss


class Packed(NamedTuple):
    """R rows of whole sequences without their last tokens.

    tokens: (R, T) int64; targets: (R, T) int64, the tokens after them; part: (R, T) int8, what these are
    part of; documents: where sequences begin. after: the (chunk, step) that comes next.
    """

    tokens: Tensor
    targets: Tensor
    part: Tensor
    documents: Documents
    counts: Counts
    after: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Packing:
    """Batches of `batch_tokens` columns in rows of `row`, padding included."""

    batch_tokens: int
    row: int

    def __post_init__(self) -> None:
        if self.row < BLOCK or self.row % BLOCK:
            raise ValueError(
                f"data.packing={self.row} must be a multiple of {BLOCK}, the size of attention's blocks"
            )
        if self.batch_tokens < self.row or self.batch_tokens % self.row:
            raise ValueError(
                f"data.batch_tokens={self.batch_tokens} must be a multiple of data.packing={self.row}"
            )

    def plan(self, lengths: NDArray[np.int64], seed: int, chunk: int) -> list[Ragged]:
        """The sequences of each row of each batch; every sequence once.

        Rows are filled best-fit, longest sequences first, and then shuffled. Batches have equally many
        rows but for one, so no step is taken on a small rest.
        """
        longest = int(lengths.max()) - 1
        if longest > self.row:
            needed = -(-longest // BLOCK) * BLOCK
            raise ValueError(
                f"the longest sequence has {longest + 1} tokens, rows have {self.row}: raise data.packing to "
                f"{needed} (and data.batch_tokens to a multiple) or make the task smaller"
            )
        generator = rng.rng(seed, "train", chunk, "batches")
        order = np.lexsort((generator.permutation(len(lengths)), -lengths))
        row = best_fit((lengths[order] - 1).tolist(), self.row)
        rows = Ragged(order[np.argsort(row, kind="stable")], offsets_of(np.bincount(row)))
        batches = -(-len(rows) * self.row // self.batch_tokens)
        return [rows.take(which) for which in np.array_split(generator.permutation(len(rows)), batches)]

    def collate(self, sequences: Sequences, rows: Ragged, pad: int) -> Packed:
        """The batch of these rows of sequences, and of empty rows if they are too few."""
        R, T = self.batch_tokens // self.row, self.row
        most = R * (T // max(int(sequences.tokens.lengths.min()) - 1, 1) + 1)  # documents in a batch
        chosen = sequences.take(rows.values)
        lengths, values = chosen.tokens.lengths, chosen.tokens.values
        row = np.repeat(np.arange(len(rows)), rows.lengths)
        begin = offsets_of(lengths - 1)[:-1]
        column = begin - begin[rows.offsets[:-1]][row]  # of each sequence's first token
        used = np.zeros(R, np.int64)
        np.add.at(used, row, lengths - 1)

        def spread(of_sequence: NDArray[np.integer]) -> NDArray[np.integer]:
            return np.repeat(of_sequence, lengths)

        within = np.arange(len(values)) - spread(chosen.tokens.offsets[:-1])
        at = spread(row * T + column) + within
        shown, target = within < spread(lengths) - 1, within > 0
        tokens, targets = np.full(R * T, pad, np.int64), np.full(R * T, pad, np.int64)
        part, start = np.zeros(R * T, np.int8), np.repeat(used, T).astype(np.int32)
        tokens[at[shown]] = values[shown]
        start[at[shown]] = spread(column)[shown]
        targets[at[target] - 1] = values[target]
        prompt = spread(chosen.prompt)
        parts = (within >= prompt).astype(np.int8) + (within >= prompt + spread(chosen.trace))
        part[at[target] - 1] = parts[target]
        edges = np.full(1 << (most.bit_length()), R * T, np.int32)  # few shapes, however short sequences are
        padding = (np.arange(R) * T + used)[used < T]
        edges[: len(row) + len(padding)] = np.sort(np.concatenate([row * T + column, padding]))
        grid = [torch.from_numpy(flat.reshape(R, T)) for flat in (tokens, targets, part, start)]
        documents = Documents(grid[3], torch.from_numpy(edges))
        return Packed(grid[0], grid[1], grid[2], documents, count(chosen))

    def share(self, processes: int) -> Packing:
        """How a process lays out its share of a batch: as many rows as the others, so some may be empty."""
        rows = -(-self.batch_tokens // (self.row * processes))
        return Packing(rows * self.row, self.row)

    def columns(self, lengths: NDArray[np.int64], batch: Ragged) -> int:
        """Columns of a planned batch, padding included."""
        return self.batch_tokens


def best_fit(sizes: Iterable[int], room: int) -> NDArray[np.int64]:
    """The row of each of `sizes`, in turn: the fullest that has room for it, else a new one."""
    rows: list[list[int]] = [[] for _ in range(room + 1)]  # by the room that they have left
    rooms: list[int] = []  # that some row has left, rising
    chosen, new = [], 0
    for size in sizes:
        k = bisect_left(rooms, size)
        if k == len(rooms):
            left, row = room, new
            new += 1
        else:
            left = rooms[k]
            row = rows[left].pop()
            if not rows[left]:
                del rooms[k]
        left -= size
        if not rows[left]:
            insort(rooms, left)
        rows[left].append(row)
        chosen.append(row)
    return np.array(chosen)
