"""Sequences -> padded batches of near-equal lengths, in an order that (seed, chunk) alone decides.

    loader = Loader(lambda k: sequences, batch_tokens=4096, context=model.context, pad=0, seed=0)
    trainer.fit(learner, loader)

The loader never ends: a budget ends training. Chunk k is asked for while chunk k - 1 is trained on;
a frozen set is the same chunk every time, an online stream a new one. Lightning fetches a batch
ahead, so the learner tells the loader what has been trained on (`loader.trained`); that is what a
checkpoint keeps, and a resumed run goes on with the very next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core import rng
from tracelab.core.codec import Sequences

ROUND = 8  # padded lengths are multiples: sequences mix by chance in a batch, matrices have few shapes


class Batch(NamedTuple):
    """B padded sequences without their last tokens, and what is to be predicted.

    tokens: (B, T) int64, right-padded; at: (n,) places in the flattened (B * T) of the positions whose
    next token belongs to a completion; targets: (n,) those tokens; trace: (n,) bool, is it a trace's?
    (else a solution's). counts: tokens that are not padding, completion tokens and sequences, of all
    processes together; after: the (chunk, step) that comes next.
    """

    tokens: Tensor
    at: Tensor
    targets: Tensor
    trace: Tensor
    counts: tuple[int, int, int]
    after: tuple[int, int] = (0, 0)


class Loader:
    """Endless batches of `chunk(0)`, `chunk(1)`, ...; with several processes, each takes its share."""

    def __init__(
        self,
        chunk: Callable[[int], Sequences],
        *,
        batch_tokens: int,
        context: int,
        pad: int = 0,
        seed: int = 0,
    ) -> None:
        self.chunk, self.batch_tokens = chunk, batch_tokens
        self.context, self.pad, self.seed = context, pad, seed
        self.trained = (0, 0)

    def __iter__(self) -> Iterator[Batch]:
        rank, world = _ranks()
        k, start = self.trained
        with ThreadPoolExecutor(1, "next-chunk") as ahead:
            upcoming = ahead.submit(self._planned, k)
            while True:
                sequences, plan = upcoming.result()
                upcoming = ahead.submit(self._planned, k + 1)
                steps = len(plan) // world
                for i in range(start, steps):
                    together = sequences.take(np.concatenate(plan[i * world : (i + 1) * world]))
                    batch = collate(sequences.take(plan[i * world + rank]), self.pad)
                    after = (k, i + 1) if i + 1 < steps else (k + 1, 0)
                    yield batch._replace(counts=count(together), after=after)
                k, start = k + 1, 0

    def _planned(self, k: int) -> tuple[Sequences, list[NDArray[np.int64]]]:
        sequences = self.chunk(k)
        check_lengths(sequences, self.context)
        return sequences, batch_plan(sequences.tokens.lengths, self.batch_tokens, self.seed, k)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch to train on is."""
        return {"trained": list(self.trained)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        k, batch = state["trained"]
        self.trained = (k, batch)


class FixedLoader:
    """Every sequence once, in a fixed order: for validation."""

    def __init__(self, sequences: Sequences, *, batch_tokens: int, context: int, pad: int = 0) -> None:
        check_lengths(sequences, context)
        plan = batch_plan(sequences.tokens.lengths, batch_tokens, seed=0, chunk=0)
        self.batches = [collate(sequences.take(rows), pad) for rows in plan]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


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
    target, end, trace_end = column[1:], lengths[:, None], (sequences.prompt + sequences.trace)[:, None]
    at = np.flatnonzero((target >= sequences.prompt[:, None]) & (target < end))
    trace = (target < trace_end).ravel()[at]
    targets = padded[:, 1:].ravel()[at]
    as_tensor = torch.from_numpy
    tokens = as_tensor(np.ascontiguousarray(padded[:, :-1]))
    return Batch(tokens, as_tensor(at), as_tensor(targets), as_tensor(trace), count(sequences))


def count(sequences: Sequences) -> tuple[int, int, int]:
    """Tokens, completion tokens, sequences."""
    tokens = len(sequences.tokens.values)
    return tokens, tokens - int(sequences.prompt.sum()), len(sequences)


def check_lengths(sequences: Sequences, context: int) -> None:
    """ValueError if a sequence does not fit the model."""
    longest = int(sequences.tokens.lengths.max(initial=0))
    if longest > context:
        raise ValueError(
            f"the longest sequence has {longest} tokens, the model's context is {context}: "
            f"raise model.context to {longest} or make the task smaller"
        )


def _ranks() -> tuple[int, int]:
    if not torch.distributed.is_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()
