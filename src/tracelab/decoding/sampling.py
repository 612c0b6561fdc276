"""Generation in batches: greedy, or sampled with a random stream of its own for each prompt.

    completions = generate(model, prompts, stop=codec.stop, max_new=512)

On CPUs prompts are sorted by length and run together; rows that have stopped leave the batch, and several
samples of a prompt share its keys and values. GPUs have a way of their own (`continuous`). Either way a
prompt is read once for its samples, and what a sample gets does not depend on its neighbours: sample j of
prompt i draws its numbers from item i * samples + j of a `Stream`. Processes may share prompts out
(`sharing`): on CPUs whole batches, which are the same whoever completes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.decoding import continuous
from tracelab.decoding.choosing import choose, logprob, uniform
from tracelab.decoding.completions import Completions
from tracelab.decoding.continuous import Line
from tracelab.decoding.sharing import dealt_together, lanes
from tracelab.models.base import Model
from tracelab.models.gpt import GPT

# (B, steps): tokens, their log-probabilities at temperature 1, and as they were sampled
Lines = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
LEAVE = 0.2  # rows that have stopped leave when they are this share of a batch: moving the others costs time
CONTINUOUS = ("cuda",)  # devices on which slots are refilled while others go on


class Stream(NamedTuple):
    """Random numbers of samples: the items from `first` on of a named stream of a seed."""

    seed: int = 0
    name: str = "tokens"
    first: int = 0

    def keys(self, prompts: int, samples: int) -> NDArray[np.uint64]:
        """(prompts, samples): sample j of prompt i has the item first + i * samples + j."""
        stop = self.first + prompts * samples
        return rng.keys(self.seed, "sampling", self.first, stop, self.name).reshape(-1, samples)


TOKENS = Stream()


def generate(
    model: Model,
    prompts: Ragged,
    *,
    stop: int,
    max_new: int,
    samples: int = 1,
    temperature: float = 0.0,
    stream: Stream = TOKENS,
    batch_size: int = 256,
) -> Completions:
    """Complete prompts, each `samples` times by at most max_new tokens and within the model's context.

    batch_size: rows that are sampled together. Matrix products are in the model's format, `model.products`.
    """
    if samples < 1:
        raise ValueError(f"samples={samples}: each prompt needs 1 completion at least")
    longest = int(prompts.lengths.max(initial=0))
    if longest >= model.context:
        raise ValueError(
            f"the longest prompt has {longest} tokens, which leaves no room in the model's context of "
            f"{model.context}: use a model with a larger context or smaller problems"
        )
    keys = stream.keys(len(prompts), samples)
    in_slots = isinstance(model, GPT) and model.packs and model.device.type in CONTINUOUS
    how: Callable[..., list[Line]] = _in_slots if in_slots else _in_batches
    lines = how(
        model,
        prompts,
        keys,
        stop=stop,
        max_new=max_new,
        temperature=temperature,
        rows=batch_size,
    )
    return _joined(lines, stop)


def _joined(lines: list[Line], stop: int) -> Completions:
    tokens = Ragged.of([line.tokens for line in lines])
    stopped = np.array([line.tokens[-1] == stop for line in lines], np.bool_)
    mean_logprob = np.array([line.plain.mean() for line in lines], np.float32)
    return Completions(
        tokens, ~stopped, mean_logprob, Ragged.of([line.sampled for line in lines], dtype=np.float32)
    )


def _in_slots(model: GPT, prompts: Ragged, keys: NDArray[np.uint64], **options: Any) -> list[Line]:
    """Lines as of `continuous.complete`; each process that shares has slots of its own."""
    samples = keys.shape[1]

    def complete(mine: Sequence[int]) -> list[list[Line]]:
        rows = np.array(mine, np.int64)
        lines = continuous.complete(model, prompts.take(rows), keys[rows], **options)
        return [lines[first : first + samples] for first in range(0, len(lines), samples)]

    order = np.argsort(-prompts.lengths, kind="stable").tolist()
    found = dict(zip(order, dealt_together(order, complete), strict=True))
    return [line for prompt in range(len(prompts)) for line in found[prompt]]


def _in_batches(
    model: Model,
    prompts: Ragged,
    keys: NDArray[np.uint64],
    *,
    stop: int,
    max_new: int,
    temperature: float,
    rows: int,
) -> list[Line]:
    """Lines as of `continuous.complete`, batch after batch; on CPUs one batch on each core at a time."""
    samples = keys.shape[1]
    order = np.argsort(-prompts.lengths, kind="stable")
    threads, side = (torch.get_num_threads(), lanes()) if model.device.type == "cpu" else (1, 1)
    size = max(1, min(rows // samples, -(-len(order) // side)))
    batches = [order[first : first + size] for first in range(0, len(order), size)]

    def complete(rows: NDArray[np.int64]) -> Lines:
        return _complete(model, prompts.take(rows), keys[rows], stop, max_new, temperature)

    done = dealt_together(batches, lambda mine: _side_by_side(complete, mine, threads))
    found: dict[int, Line] = {}
    for batch, lines in zip(batches, done, strict=True):
        places = (batch[:, None] * samples + np.arange(samples)).ravel()
        for place, *line in zip(places.tolist(), *lines, strict=True):
            n = min(_length(line[0], stop), model.context - len(prompts[place // samples]))
            found[place] = Line(*(part[:n] for part in line))
    return [found[place] for place in range(keys.size)]


def _side_by_side(
    complete: Callable[[NDArray[np.int64]], Lines], batches: Sequence[NDArray[np.int64]], threads: int
) -> list[Lines]:
    """Several batches at a time, each on a core of its own: on a CPU a step is too small to share."""
    if threads == 1:
        return [complete(rows) for rows in batches]
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(complete, batches))
    finally:
        torch.set_num_threads(threads)


def _complete(
    model: Model,
    prompts: Ragged,
    keys: NDArray[np.uint64],
    stop: int,
    max_new: int,
    temperature: float,
) -> Lines:
    """Prompts with the keys of their samples, (prompts, samples) -> lines with what follows a stop."""
    with torch.no_grad(), model.computing():  # weights are cast once
        return _decoded(model, prompts, keys, stop, max_new, temperature)


def _decoded(
    model: Model, prompts: Ragged, keys: NDArray[np.uint64], stop: int, max_new: int, temperature: float
) -> Lines:
    """Token by token."""
    device, samples = model.device, keys.shape[1]
    words = torch.from_numpy(keys.ravel().view(np.int64)).to(device)
    limits = np.repeat(np.minimum(max_new, model.context - prompts.lengths), samples)
    limit = torch.from_numpy(limits).to(device)
    live = torch.arange(len(words), device=device)  # rows that are still in the batch
    done = torch.zeros_like(live, dtype=torch.bool)
    steps = int(limit.max())
    tokens = torch.full((len(words), steps), stop, device=device)
    logprobs = torch.zeros(tokens.shape, device=device)
    sampled = logprobs if temperature in (0.0, 1.0) else torch.zeros_like(logprobs)
    new, start = left_pad(prompts, device)
    cache = model.reading(start)
    for step in range(steps):
        logits = model.logits(model.hidden(new, cache)[:, -1])  # (B, vocab_size)
        if step == 0 and samples > 1:
            logits = logits.repeat_interleave(samples, 0)
            cache.branch(live // samples)
        chosen = logits.argmax(-1)
        if temperature:
            scaled = logits / temperature
            chosen = choose(scaled, uniform(words, torch.tensor(step)))
        tokens[live, step] = chosen
        logprobs[live, step] = logprob(logits, chosen)
        if sampled is not logprobs:
            sampled[live, step] = logprob(scaled, chosen)
        done |= (chosen == stop) | (limit == step + 1)
        if (left := done.float().mean()) > LEAVE:
            if left == 1:
                break
            going = (~done).nonzero()[:, 0]
            live, limit, words = live[going], limit[going], words[going]
            chosen, done = chosen[going], done[going]
            cache.keep(going)
        new = chosen[:, None]
    return tokens.int().cpu().numpy(), logprobs.cpu().numpy(), sampled.cpu().numpy()


def left_pad(prompts: Ragged, device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts -> (B, T) tokens that end in the last column, and (B,) where each begins."""
    T = int(prompts.lengths.max())
    start = T - prompts.lengths
    padded = np.zeros((len(prompts), T), np.int64)
    padded[np.arange(T) >= start[:, None]] = prompts.values
    return torch.from_numpy(padded).to(device), torch.from_numpy(start).to(device)


def _length(line: NDArray[np.int32], stop: int) -> int:
    """Tokens up to and with the first stop."""
    places = np.flatnonzero(line == stop)
    return int(places[0]) + 1 if len(places) else len(line)
