"""Decoding in slots that are never empty while someone waits: the way of GPUs.

    lines = complete(model, prompts, keys, stop=stop, max_new=512, temperature=1.0, rows=1024)

Prompts are read packed and put into slots; all slots go on by one token a step (`decoding.stepping`), and
only every so many steps the host looks at who is done. Then their lines are fetched and the next in the queue
get their slots. When nobody waits any more, those that are left move together and the batch shrinks.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tracelab.batches.documents import BLOCK, Documents
from tracelab.batches.packing import best_fit
from tracelab.core.ragged import Integers, Ragged, offsets_of
from tracelab.decoding.slots import Places, Reading, Slots, slot_bytes, slots_for, widths
from tracelab.decoding.stepping import Rows, Steps, Wish, draw, own_stream
from tracelab.models import kernels
from tracelab.models.gpt import GPT

CHECK = 16  # steps between looks at who is done: a look waits for the device
LEAVE = 0.1  # slots are given to others when those of this share are done: prompts are read in bulk
PACK = {"varlen": 16_384, "plain": 2048}  # tokens of prompts that are read at once; plain has all scores
FEW = 8  # a batch of so few rows does not shrink


class Line(NamedTuple):
    """n tokens and their log-probabilities, at temperature 1 and as they were sampled."""

    tokens: NDArray[np.int32]
    plain: NDArray[np.float32]
    sampled: NDArray[np.float32]


def complete(
    model: GPT,
    prompts: Ragged,
    keys: NDArray[np.uint64],
    *,
    stop: int,
    max_new: int,
    temperature: float,
    rows: int,
    compiled: bool | None = None,
) -> list[Line]:
    """The lines of all samples of the first prompt, then of the next.

    keys: (prompts, samples), of their random numbers; rows: the most slots, if there is memory for them;
    compiled: None: on GPUs.
    """
    if not keys.size:
        return []
    device = model.embed.weight.device
    with torch.no_grad(), torch.autocast(device.type, enabled=False), own_stream(device):
        own = copy.deepcopy(model).to(model.products)  # weights are cast once
        queue = Queue(prompts, keys, np.minimum(max_new, model.context - prompts.lengths))
        room = widths(int((prompts.lengths + queue.limits).max()))
        n = slots_for(min(rows, keys.size), slot_bytes(own, room), _free(device), room)
        batch = Batch(own, queue, n, room, Wish.of(stop, temperature, device))
        compiled = device.type == "cuda" if compiled is None else compiled
        return batch.lines(Steps(own, batch.slots, batch.rows, batch.wish, compiled=compiled))


class Queue:
    """Samples that wait, those of the longest prompts first. limits: (prompts,) most tokens of each."""

    def __init__(self, prompts: Ragged, keys: NDArray[np.uint64], limits: NDArray[np.int64]) -> None:
        self.prompts, self.keys, self.limits = prompts, keys, limits
        order = np.argsort(-prompts.lengths, kind="stable")
        self.waiting = (order[:, None] * keys.shape[1] + np.arange(keys.shape[1])).ravel()

    def take(self, n: int) -> NDArray[np.int64]:
        """The next n, or as many as there are: sample j of prompt i is number i * samples + j."""
        taken, self.waiting = self.waiting[:n], self.waiting[n:]
        return taken


class Batch:
    """Slots, and what the host knows of them without asking the device.

    sample: (n,) whose slot it is, -1: nobody's; live: (n,) was it going at the last look?; column, end: (n,)
    its newest token's column, if it still goes, and the one that it ends before.
    """

    def __init__(self, model: GPT, queue: Queue, n: int, room: int, wish: Wish) -> None:
        self.model, self.queue, self.wish = model, queue, wish
        self.device = model.embed.weight.device
        self.kernel = kernels.for_reading(model)
        self.slots = Slots.empty(model, n, room)
        self.rows = Rows.idle(n, int(queue.limits.max()), self.device)
        self.sample, self.live = np.full(n, -1), np.zeros(n, np.bool_)
        self.column, self.end = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.found: dict[int, Line] = {}

    def lines(self, steps: Steps) -> list[Line]:
        """Lines of all samples, in order: steps run until each has its own."""
        while True:
            n = len(self.sample)
            self.live &= ~self.rows.done[:n].cpu().numpy()
            ended = (self.sample >= 0) & ~self.live
            if ended.mean() > LEAVE or not self.live.any():
                self._fetch(np.flatnonzero(ended))
                self._admit()
                self._shrink()
            if not self.live.any():
                return [self.found[sample] for sample in range(self.queue.keys.size)]
            steps.run(len(self.sample), *self._ahead())

    def _ahead(self) -> tuple[int, int]:
        """Width and number of the steps until the next look."""
        column, end = self.column[self.live], self.end[self.live]
        times = min(CHECK, int((end - column).max()))
        self.column += times
        return widths(int(np.minimum(column + times, end).max())), times

    def _fetch(self, slots: Integers) -> None:
        """Take the lines of these slots, and free them."""
        (index,) = self._tensors(slots)
        drawn = self.rows.drawn[index].tolist()
        lines = self.rows.tokens, self.rows.plain, self.rows.sampled
        parts = [part[index, : max(drawn, default=0)].cpu().numpy() for part in lines]
        for sample, n, *line in zip(self.sample[slots].tolist(), drawn, *parts, strict=True):
            self.found[sample] = Line(*(part[:n].copy() for part in line))
        self.sample[slots] = -1

    def _admit(self) -> None:
        """Give free slots to those that wait; samples of a prompt share what is read of it."""
        free = np.flatnonzero(self.sample < 0)
        samples = self.queue.take(len(free))
        slots = free[: len(samples)]
        prompts, whose = np.unique(samples // self.queue.keys.shape[1], return_inverse=True)
        self.sample[slots], self.live[slots] = samples, True
        lengths, limits = (of[prompts[whose]] for of in (self.queue.prompts.lengths, self.queue.limits))
        self.column[slots], self.end[slots] = lengths, lengths + limits - 1  # the last token is never read
        lengths = self.queue.prompts.lengths[prompts]
        pack = best_fit(lengths.tolist(), max(PACK[self.kernel], int(lengths.max(initial=0))))
        for k in range(int(pack.max(initial=-1)) + 1):
            here = pack[whose] == k
            self._read(slots[here], samples[here])

    def _read(self, slots: Integers, samples: Integers) -> None:
        """Read the prompts of these samples, put them into these slots and draw first tokens."""
        number, whose = np.unique(samples // self.queue.keys.shape[1], return_inverse=True)
        prompts = self.queue.prompts.take(number)
        lengths = prompts.lengths[whose]
        within = np.arange(lengths.sum()) - np.repeat(offsets_of(lengths)[:-1], lengths)
        source = np.repeat(prompts.offsets[:-1][whose], lengths) + within
        key = self.queue.keys.ravel()[samples].view(np.int64)
        tokens, start, edges, *places, last, column, keys, limit, prompt, rows = self._tensors(
            *packed(prompts),
            *(source, np.repeat(slots, lengths), within, prompts.offsets[1:] - 1),
            *(lengths - 1, key, self.queue.limits[number][whose], whose, slots),
        )
        documents = Documents(start[None].int(), edges.int())
        reading = Reading(self.slots, documents, self.kernel, Places(*places))
        logits = self.model.logits(self.model.hidden(tokens[None], reading)[0, last])
        going = torch.zeros(len(slots), dtype=torch.bool, device=self.device)
        new = Rows.idle(len(slots), 1, self.device)
        new = new._replace(column=column, key=keys, limit=limit, done=going)
        draw(new, logits[prompt], self.wish)
        self.rows.put(rows, new)

    def _shrink(self) -> None:
        """Go on with half the slots, and half of these, while they are enough and nobody waits."""
        n = len(self.sample)
        while n > FEW and self.live.sum() <= n // 2:
            n //= 2
        if n == len(self.sample) or not self.live.any():
            return
        kept = np.argsort(~self.live, kind="stable")[:n]
        (rows,) = self._tensors(kept)
        self.rows.keep(rows)
        self.slots.keep(rows, int(self.column[self.live].max()))
        self.sample, self.live = self.sample[kept], self.live[kept]
        self.column, self.end = self.column[kept], self.end[kept]

    def _tensors(self, *arrays: Integers) -> tuple[torch.Tensor, ...]:
        """Rows of numbers on the device, int64: one copy for all of them, which a GPU makes by itself."""
        whole = torch.from_numpy(np.concatenate(arrays, dtype=np.int64))
        whole = whole.pin_memory() if self.device.type == "cuda" else whole
        return whole.to(self.device, non_blocking=True).split([len(array) for array in arrays])


def packed(prompts: Ragged) -> tuple[Integers, Integers, Integers]:
    """Prompts -> one row of T tokens, and what `Documents` says of it: (T,) starts and (n + 2,) edges."""
    used = int(prompts.offsets[-1])
    T = -(-used // BLOCK) * BLOCK
    tokens, start = np.zeros(T, np.int64), np.full(T, used)
    tokens[:used] = prompts.values
    start[:used] = np.repeat(prompts.offsets[:-1], prompts.lengths)
    return tokens, start, np.append(prompts.offsets, T)


def _free(device: torch.device) -> float:
    """Bytes; main memory is taken to be enough."""
    if device.type != "cuda":
        return float("inf")
    torch.cuda.empty_cache()  # what is merely kept for later is free, too
    return torch.cuda.mem_get_info(device)[0]
