"""Sequences -> batches, endlessly, in an order that (seed, chunk) alone decides.

    loader = Loader(lambda k: sequences, batch_tokens=4096, context=model.context, pad=0, seed=0)
    trainer.fit(learner, loader)

The loader never ends: a budget ends training. Chunk k is asked for while chunk k - 1 is trained on;
a frozen set is the same chunk every time, an online stream a new one. Batches are laid out ahead, too, in a
thread, and in pinned memory for a GPU; `waited` says how long training had to wait all the same.
Several processes make the same plan and share every batch of it: each lays out one row in n.
As they are ahead, the learner tells the loader what has been trained on (`loader.trained`); that is what a
checkpoint keeps, and a resumed run goes on with the very next batch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from tracelab.batches.packing import Packed, Packing
from tracelab.batches.padding import Batch, Padding, count
from tracelab.core.codec import Sequences
from tracelab.core.ragged import Ragged

AHEAD = 2  # batches that are laid out before they are asked for

Some = TypeVar("Some")


def layout_of(batch_tokens: int, packing: int | None, short_first: int = 0) -> Padding | Packing:
    """How batches are laid out. packing: tokens of a packed row, or None for padding; short_first: see
    `Padding` (packed rows hold long and short sequences).
    """
    return Padding(batch_tokens, short_first) if packing is None else Packing(batch_tokens, packing)


class Loader:
    """Endless batches of `chunk(0)`, `chunk(1)`, ...; several processes share each batch.

    pins: are they for a GPU? Pinned memory makes CUDA start, which a run on a CPU does not need.
    """

    def __init__(
        self,
        chunk: Callable[[int], Sequences],
        *,
        batch_tokens: int,
        context: int,
        packing: int | None = None,
        short_first: int = 0,
        pad: int = 0,
        seed: int = 0,
        pins: bool = False,
    ) -> None:
        self.chunk = chunk
        self.layout = layout_of(batch_tokens, packing, short_first)
        self.context, self.pad, self.seed, self.pins = context, pad, seed, pins
        self.trained = (0, 0)
        self.waited = 0.0  # seconds, in all

    def __iter__(self) -> Iterator[Batch | Packed]:
        with ThreadPoolExecutor(1, "batches") as thread:
            batches = self._batches()
            coming = deque(thread.submit(next, batches) for _ in range(AHEAD))
            while True:
                began = time.perf_counter()
                batch = coming.popleft().result()
                self.waited += time.perf_counter() - began
                coming.append(thread.submit(next, batches))
                yield batch

    def _batches(self) -> Iterator[Batch | Packed]:
        k, start = self.trained
        with ThreadPoolExecutor(1, "next-chunk") as ahead:
            upcoming = ahead.submit(self._planned, k)
            while True:
                sequences, plan = upcoming.result()
                upcoming = ahead.submit(self._planned, k + 1)
                for i in range(start, len(plan)):
                    batch = share(self.layout, sequences, plan[i], self.pad)
                    batch = batch._replace(after=(k, i + 1) if i + 1 < len(plan) else (k + 1, 0))
                    yield pinned(batch) if self.pins else batch
                k, start = k + 1, 0

    def _planned(self, k: int) -> tuple[Sequences, list[Ragged]]:
        sequences = self.chunk(k)
        check_lengths(sequences, self.context)
        return sequences, self.layout.plan(sequences.tokens.lengths, self.seed, k)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch to train on is."""
        return {"trained": list(self.trained)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        k, batch = state["trained"]
        self.trained = (k, batch)


class FixedLoader:
    """Every sequence once, in a fixed order: for validation. Several processes share each batch."""

    def __init__(
        self,
        sequences: Sequences,
        *,
        batch_tokens: int,
        context: int,
        packing: int | None = None,
        pad: int = 0,
    ) -> None:
        check_lengths(sequences, context)
        self.sequences = sequences
        self.layout = layout_of(batch_tokens, packing)
        self.pad = pad
        self.plan = self.layout.plan(sequences.tokens.lengths, seed=0, chunk=0)

    @cached_property
    def batches(self) -> list[Batch | Packed]:
        """Shares of this process."""
        return [share(self.layout, self.sequences, rows, self.pad) for rows in self.plan]

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Batch | Packed]:
        return iter(self.batches)


def card(sequences: Sequences, batch_tokens: int, packing: int | None, seed: int) -> dict[str, Any]:
    """How the first pass over the sequences is laid out, for the data card."""
    lengths = sequences.tokens.lengths
    layout = layout_of(batch_tokens, packing)
    plan = layout.plan(lengths, seed, 0)
    columns = sum(layout.columns(lengths, batch) for batch in plan)
    return {
        "packing": packing,
        "batch_tokens": batch_tokens,
        "batches": len(plan),
        "padding": 1 - int((lengths - 1).sum()) / columns,
    }


def share(layout: Padding | Packing, sequences: Sequences, batch: Ragged, pad: int) -> Batch | Packed:
    """What a process trains on of a planned batch: one row in n; the counts are of the whole batch."""
    rank, world = _ranks()
    rows = batch.take(np.arange(rank, len(batch), world))
    return layout.share(world).collate(sequences, rows, pad)._replace(counts=count(sequences, batch.values))


def pinned(batch: Some) -> Some:
    """The batch where a GPU can fetch it from by itself."""
    moved: Some = apply_to_collection(batch, Tensor, Tensor.pin_memory)
    return moved


def check_lengths(sequences: Sequences, context: int) -> None:
    """ValueError if a sequence does not fit the model."""
    longest = sequences.longest
    if longest > context:
        raise ValueError(
            f"the longest sequence has {longest} tokens, the model's context is {context}: "
            f"raise model.context to {longest} or make the task smaller"
        )


def _ranks() -> tuple[int, int]:
    if not torch.distributed.is_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()
