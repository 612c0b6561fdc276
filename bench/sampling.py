"""Sampling speed in new tokens per second against `generate` of Hugging Face transformers.

python bench/sampling.py        # two batch sizes, three rounds, about two minutes on a CPU
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from common import Row, arguments, in_turn, report
from models import VOCABULARY, llama, nano

PROMPT, NEW, PROMPTS = 42, 160, 512
BATCHES = (64, 256)
SIDES = ("ours", "hf_sdpa_64", "hf_sdpa_256", "hf_eager_64", "hf_eager_256", "ours_64")
EQUAL = f"0.83M, float32, greedy, {PROMPT} prompt and {NEW} new tokens, none stops early, threads"
ROWS = tuple(
    Row(f"sampling, batch {batch}", peer, f"{EQUAL}, batch", f"{PROMPTS} prompts", ours)
    for batch, ours in ((256, "ours"), (64, "ours_64"))
    for peer in (f"hf_sdpa_{batch}", f"hf_eager_{batch}")
)


def prompts(n: int) -> np.ndarray:
    """(n, PROMPT) made-up prompts."""
    return np.random.default_rng(0).integers(4, VOCABULARY, (n, PROMPT))


def ours(batch: int, count: int = PROMPTS) -> float:
    """Our sampler; no token is a stop."""
    from tracelab.core.ragged import Ragged
    from tracelab.decoding.sampling import generate
    from tracelab.training import accelerate

    accelerate.start(torch.get_num_threads())
    model = nano()

    def run(n: int) -> int:
        done = generate(model, Ragged.of(list(prompts(n))), stop=VOCABULARY, max_new=NEW, batch_size=batch)
        return len(done.tokens.values)

    return speed(run, batch, count)


def hf(attention: str, batch: int) -> float:
    """A Llama of our shape; without an end token."""
    from transformers import GenerationConfig

    model = llama(attention).eval()
    settings = GenerationConfig(max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=0)

    def run(n: int) -> int:
        ids = torch.from_numpy(prompts(n))
        batches = [model.generate(part, generation_config=settings) for part in ids.split(batch)]
        return sum(part[:, PROMPT:].numel() for part in batches)

    with torch.inference_mode():
        return speed(run, batch)


def speed(run: Callable[[int], int], batch: int, count: int = PROMPTS) -> float:
    """New tokens per second over so many prompts, after one batch to warm up."""
    run(batch)
    start = time.perf_counter()
    tokens = run(count)
    return tokens / (time.perf_counter() - start)


def main() -> None:
    options = arguments("Sampling speed", SIDES)
    torch.set_num_threads(options.threads)
    if not options.side:
        report("sampling", "new tokens/s", in_turn(__file__, SIDES, options), ROWS, options)
        return
    warnings.filterwarnings("ignore")
    name, *rest = options.side.split("_")
    batch = int(rest[-1]) if rest else BATCHES[-1]
    print(ours(batch) if name == "ours" else hf(rest[0], batch))


if __name__ == "__main__":
    main()
