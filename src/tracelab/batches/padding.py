"""Sequences -> padded batches of near-equal lengths, in an order that (seed, chunk) alone decides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.batches.explained import Beside, Explained, beside
from tracelab.batches.ranked import Ranked, Twins
from tracelab.core import rng
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Integers, Ragged

SHORTEST = 0.02  # share of the sequences that a warm-up of lengths begins with
ROUND = 8  # padded lengths are multiples: sequences mix by chance in a batch, matrices have few shapes


class Counts(NamedTuple):
    """What a batch holds, of all processes together: tokens that are not padding, completion tokens,
    sequences, pairs of a query and a key that causal attention within sequences looks at, and those of the
    completion tokens that are a trace's. beside_places, beside_pairs: of what is read beside them: twins, or
    the whole traces that latents are taught by.
    """

    tokens: int
    completion_tokens: int
    examples: int
    pairs: int
    trace_tokens: int
    beside_places: int = 0
    beside_pairs: int = 0

    @property
    def read(self) -> tuple[int, int]:
        """Places and pairs of all that a model reads, beside its sequences too: what `Model.flops` is of."""
        places = self.tokens - self.examples  # a sequence's last token is a target alone
        return places + self.beside_places, self.pairs + self.beside_pairs


class Batch(NamedTuple):
    """B padded sequences without their last tokens, and what is to be predicted.

    tokens: (B, T) int64, right-padded; at: (n,) places in the flattened (B * T) of the positions whose
    next token belongs to a completion; targets: (n,) those tokens; trace: (n,) bool, is it a trace's?
    (else a solution's). after: the (chunk, step) that comes next; beside: what latents stand for, if asked;
    twins: damaged ones of the traces, if these are ranked.
    """

    tokens: Tensor
    at: Tensor
    targets: Tensor
    trace: Tensor
    counts: Counts
    after: tuple[int, int] = (0, 0)
    beside: Beside | None = None
    twins: Twins | None = None


@dataclass(frozen=True)
class Padding:
    """One sequence a row: batches of at most `batch_tokens` with padding, but of one row at least.

    short_first: tokens at the beginning of training over which short sequences come before long ones (see
    `shortest_first`); 0: in any order.
    """

    batch_tokens: int
    short_first: int = 0

    def plan(self, lengths: NDArray[np.int64], seed: int, chunk: int) -> list[Ragged]:
        """The sequences of each row of each batch."""
        plan = batch_plan(lengths, self.batch_tokens, seed, chunk)
        if self.short_first and chunk == 0:
            plan = shortest_first(plan, lengths, self.short_first)
        return [Ragged(rows, np.arange(len(rows) + 1)) for rows in plan]

    def collate(self, sequences: Sequences, rows: Ragged, pad: int) -> Batch:
        """The batch of these sequences; without any, of a row that nothing is predicted of."""
        if len(rows):
            return collate(sequences.take(rows.values), pad)
        batch = collate(sequences.take(np.zeros(1, np.int64)), pad)
        return batch._replace(at=batch.at[:0], targets=batch.targets[:0], trace=batch.trace[:0])

    def share(self, processes: int) -> Padding:
        """How a process lays out its share of a batch."""
        return self

    def columns(self, lengths: NDArray[np.int64], batch: Ragged) -> int:
        """Columns of a planned batch, padding included."""
        return len(batch) * int(padded_length(lengths[batch.values]).max())


def batch_plan(
    lengths: NDArray[np.int64], batch_tokens: int, seed: int, chunk: int
) -> list[NDArray[np.int64]]:
    """Rows of each batch: at most `batch_tokens` with padding, but always one row at least."""
    generator = rng.rng(seed, "train", chunk, "batches")
    padded = padded_length(lengths)
    order = np.lexsort((generator.permutation(len(lengths)), -padded))  # longest first
    plan, start = [], 0
    while start < len(order):
        count = max(1, batch_tokens // int(padded[order[start]]))
        plan.append(order[start : start + count])
        start += count
    return [plan[i] for i in generator.permutation(len(plan))]


def shortest_first(
    plan: list[NDArray[np.int64]], lengths: NDArray[np.int64], tokens: int
) -> list[NDArray[np.int64]]:
    """The same batches, short sequences before long ones while the first `tokens` go by.

    The longest sequence that a batch may hold grows from the SHORTEST share of all lengths to the longest,
    linearly in the tokens. Among batches that are allowed the order stays; if none is left, the shortest is
    next. What is left out at the beginning comes later, so each sequence still comes once.
    """
    longest = np.array([lengths[batch].max() for batch in plan])
    used = 0
    ordered = np.sort(lengths)
    waiting = deque(np.argsort(longest, kind="stable").tolist())
    allowed: list[int] = []  # a heap: the first of the plan is next
    result = []
    for _ in plan:
        share = min(1.0, SHORTEST + (1.0 - SHORTEST) * used / tokens)
        limit = ordered[int(share * (len(ordered) - 1))]
        while waiting and (longest[waiting[0]] <= limit or not allowed):
            heappush(allowed, waiting.popleft())
        result.append(plan[heappop(allowed)])
        used += int(lengths[result[-1]].sum())
    return result


def padded_length(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Columns of a batch whose longest sequence has this length; the last token is only a target."""
    return -(-(lengths - 1) // ROUND) * ROUND


def collate(sequences: Sequences, pad: int) -> Batch:
    """Sequences -> one padded batch."""
    lengths = sequences.tokens.lengths
    T = int(padded_length(lengths).max())
    column = np.arange(T + 1)
    padded = np.full((len(lengths), T + 1), pad, np.int64)
    padded[column < lengths[:, None]] = sequences.tokens.values
    target = column[1:]
    end = lengths[:, None]
    trace_end = (sequences.prompt + sequences.trace)[:, None]
    at = np.flatnonzero((target >= sequences.prompt[:, None]) & (target < end))
    trace = (target < trace_end).ravel()[at]
    targets = padded[:, 1:].ravel()[at]
    as_tensor = torch.from_numpy
    tokens = as_tensor(np.ascontiguousarray(padded[:, :-1]))
    batch = Batch(tokens, as_tensor(at), as_tensor(targets), as_tensor(trace), count(sequences))
    if isinstance(sequences, Ranked):
        twin = collate(sequences.twin, pad)
        return batch._replace(twins=Twins(twin.tokens, twin.at, twin.targets, as_tensor(sequences.invalid)))
    if not isinstance(sequences, Explained):
        return batch
    explicit = collate(sequences.explicit, pad)
    return batch._replace(beside=beside(sequences, (explicit.tokens, explicit.at, explicit.targets)))


def count(sequences: Sequences, rows: Integers | slice = slice(None)) -> Counts:
    """Counts of all sequences, or of some rows of them."""
    lengths = sequences.tokens.lengths[rows]
    tokens, seen = int(lengths.sum()), lengths - 1
    completion = tokens - int(sequences.prompt[rows].sum())
    trace = int(sequences.trace[rows].sum())
    read = (0, 0)
    if isinstance(sequences, Ranked):
        read = count(sequences.twin, rows).read
    if isinstance(sequences, Explained) and sequences.taught:
        read = count(sequences.explicit, rows).read
    return Counts(tokens, completion, len(lengths), int((seen * (seen + 1) // 2).sum()), trace, *read)
