"""Generation in batches: greedy, or sampled with a random stream of its own for each prompt.

    completions = generate(model, prompts, stop=codec.stop, max_new=512)

Prompts are sorted by length and run together; rows that have stopped leave the batch. Several samples of a
prompt share its keys and values: it is read once. What a sample gets does not depend on its neighbours:
sample j of prompt i draws its numbers from the stream (seed, i * samples + j).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.models.cache import Cache
from tracelab.models.gpt import GPT

# (B, steps): tokens, their log-probabilities at temperature 1, and as they were sampled
Lines = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]
LEAVE = 0.2  # rows that have stopped leave when they are this share of a batch: moving the others costs time
CHECK = (1, 16)  # steps between looks at who has stopped, on CPU and on GPU (where a look waits for it)


@dataclass(frozen=True, slots=True)
class Completions:
    """n completions: all samples of the first prompt, then of the next.

    tokens: n rows, int32, with the stop token if it was reached; truncated: (n,) was it not?;
    mean_logprob: (n,) float32, of a row's tokens under the model at temperature 1; logprobs: n rows,
    float32, of its tokens under the distribution that they were sampled from (greedy: at temperature 1).
    """

    tokens: Ragged
    truncated: NDArray[np.bool_]
    mean_logprob: NDArray[np.float32]
    logprobs: Ragged


def generate(
    model: GPT,
    prompts: Ragged,
    *,
    stop: int,
    max_new: int,
    samples: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
    stream: str = "tokens",
    first: int = 0,
    batch_size: int = 256,
    reduced: bool | None = None,
) -> Completions:
    """Complete prompts, each `samples` times by at most max_new tokens and within the model's context.

    The samples' random numbers are those of the items from `first` on of a named stream. reduced: are the
    matrix products in bfloat16? None: on GPUs.
    """
    if samples < 1:
        raise ValueError(f"samples={samples}: each prompt needs 1 completion at least")
    longest = int(prompts.lengths.max(initial=0))
    if longest >= model.context:
        raise ValueError(
            f"the longest prompt has {longest} tokens, which leaves no room in the model's context of "
            f"{model.context}: use a model with a larger context or smaller problems"
        )
    keys = rng.keys(seed, "sampling", first, first + len(prompts) * samples, stream).reshape(-1, samples)
    order = np.argsort(-prompts.lengths, kind="stable")
    threads = torch.get_num_threads() if model.embed.weight.device.type == "cpu" else 1
    size = max(1, min(batch_size // samples, -(-len(order) // threads)))
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    done = _side_by_side(
        lambda rows: _complete(model, prompts.take(rows), keys[rows], stop, max_new, temperature, reduced),
        batches,
        threads,
    )
    tokens: list[NDArray[np.int32]] = [np.empty(0, np.int32)] * keys.size
    nothing = np.empty(0, np.float32)
    logprobs = [nothing] * keys.size
    mean_logprob = np.zeros(keys.size, np.float32)
    for rows, lines in zip(batches, done, strict=True):
        places = (rows[:, None] * samples + np.arange(samples)).ravel()
        for place, line, plain, sampled in zip(places.tolist(), *lines, strict=True):
            n = min(_length(line, stop), model.context - len(prompts[place // samples]))
            tokens[place], logprobs[place], mean_logprob[place] = line[:n], sampled[:n], plain[:n].mean()
    stopped = np.array([len(row) > 0 and row[-1] == stop for row in tokens], np.bool_)
    return Completions(Ragged.of(tokens), ~stopped, mean_logprob, Ragged.of(logprobs, dtype=np.float32))


def _side_by_side(
    complete: Callable[[NDArray[np.int64]], Lines], batches: list[NDArray[np.int64]], threads: int
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
    model: GPT,
    prompts: Ragged,
    keys: NDArray[np.uint64],
    stop: int,
    max_new: int,
    temperature: float,
    reduced: bool | None,
) -> Lines:
    """Prompts with the keys of their samples, (prompts, samples) -> lines with what follows a stop."""
    device = model.embed.weight.device
    reduced = device.type == "cuda" if reduced is None else reduced
    with (
        torch.no_grad(),
        torch.autocast(device.type, torch.bfloat16, enabled=reduced),
    ):  # weights are cast once
        return _decoded(model, prompts, keys, stop, max_new, temperature)


def _decoded(
    model: GPT, prompts: Ragged, keys: NDArray[np.uint64], stop: int, max_new: int, temperature: float
) -> Lines:
    """Token by token."""
    device, samples, keys = model.embed.weight.device, keys.shape[1], keys.ravel()
    limits = np.repeat(np.minimum(max_new, model.context - prompts.lengths), samples)
    limit = torch.from_numpy(limits).to(device)
    live = torch.arange(len(keys), device=device)  # rows that are still in the batch
    done = torch.zeros_like(live, dtype=torch.bool)
    steps = int(limit.max())
    tokens = torch.full((len(keys), steps), stop, device=device)
    logprobs = torch.zeros(tokens.shape, device=device)
    sampled = logprobs if temperature in (0.0, 1.0) else torch.zeros_like(logprobs)
    new, start = _left_pad(prompts, device)
    cache = Cache(len(model.blocks), start)
    for step in range(steps):
        logits = model.logits(model.hidden(new, cache)[:, -1])  # (B, vocab_size)
        if step == 0 and samples > 1:
            logits = logits.repeat_interleave(samples, 0)
            cache.branch(live // samples)
        chosen = _choose(logits, temperature, keys, step)
        tokens[live, step] = chosen
        logprobs[live, step] = _logprob(logits, chosen)
        if sampled is not logprobs:
            sampled[live, step] = _logprob(logits / temperature, chosen)
        done |= (chosen == stop) | (limit == step + 1)
        if step % CHECK[device.type == "cuda"] == 0 and (left := done.float().mean()) > LEAVE:
            if left == 1:
                break
            going = (~done).nonzero()[:, 0]
            live, limit, chosen, done = live[going], limit[going], chosen[going], done[going]
            keys = keys[going.cpu().numpy()]
            cache.keep(going)
        new = chosen[:, None]
    return tokens.int().cpu().numpy(), logprobs.cpu().numpy(), sampled.cpu().numpy()


def _logprob(logits: Tensor, chosen: Tensor) -> Tensor:
    """(B, vocab_size), (B,) -> (B,)."""
    return logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(-1)


def _left_pad(prompts: Ragged, device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts -> (B, T) tokens that end in the last column, and (B,) where each begins."""
    T = int(prompts.lengths.max())
    start = T - prompts.lengths
    padded = np.zeros((len(prompts), T), np.int64)
    padded[np.arange(T) >= start[:, None]] = prompts.values
    return torch.from_numpy(padded).to(device), torch.from_numpy(start).to(device)


def _choose(logits: Tensor, temperature: float, keys: NDArray[np.uint64], step: int) -> Tensor:
    """(B, vocab_size) -> (B,): the likeliest tokens, or those that the rows' random numbers fall on."""
    if temperature == 0.0:
        return logits.argmax(-1)
    uniform = torch.from_numpy(_uniform(keys, step)).to(logits.device)
    cumulative = (logits / temperature).softmax(-1).cumsum(-1)
    place = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True)[:, 0]
    return place.clamp(max=logits.shape[1] - 1)


def _uniform(keys: NDArray[np.uint64], step: int) -> NDArray[np.float32]:
    """Number `step` in [0, 1) of each row's SplitMix64 stream (as in `core.rng`, over a whole array)."""
    word = keys + np.uint64((step + 1) * 0x9E3779B97F4A7C15 % 2**64)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((word ^ (word >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def _length(line: NDArray[np.int32], stop: int) -> int:
    """Tokens up to and with the first stop."""
    places = np.flatnonzero(line == stop)
    return int(places[0]) + 1 if len(places) else len(line)
