"""Sampling from a full batch of prompts, for `bench/gpu.py`: our sampler, and Hugging Face's generate.

Counted alike on both sides: new tokens over the time of one whole call, the second of its kind, on equal
prompts and limits, in one batch. So reading the prompts counts, and with us a copy of the weights, recording
of graphs and fetching of lines and log-probabilities; compilation is over in the first call.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_models import VOCABULARY, Sizes, device, llama, model_of, wait

from tracelab.core.ragged import Ragged
from tracelab.models.precision import REDUCED
from tracelab.training import accelerate


def sample(name: str, row: int, sizes: Sizes) -> dict[str, Any]:
    """Our sampler, all prompts in one batch; no token is a stop. slow: why it isn't fast."""
    from tracelab.decoding.sampling import generate

    accelerate.start()
    model = model_of(name, sizes.prompt + sizes.new).to(device())

    def once(n: int) -> int:
        rows = Ragged.of(list(prompts(sizes, n)))
        done = generate(model, rows, stop=VOCABULARY, max_new=sizes.new, batch_size=n)
        return len(done.tokens.values)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        speed = timed(once, sizes)
    slow = [str(warning.message)[:500] for warning in caught if "slower" in str(warning.message)]
    return {"tokens_per_second": speed, "slow": slow}


def hf_sample(name: str, row: int, sizes: Sizes) -> dict[str, Any]:
    """HF generate, all prompts in one batch."""
    from transformers import GenerationConfig

    model = llama(name, "sdpa", sizes.prompt + sizes.new).to(device(), REDUCED).eval()
    new = {"max_new_tokens": sizes.new, "min_new_tokens": sizes.new}
    settings = GenerationConfig(**new, do_sample=False, pad_token_id=0)

    def once(n: int) -> int:
        ids = torch.from_numpy(prompts(sizes, n)).to(device())
        return model.generate(ids, generation_config=settings)[:, sizes.prompt :].numel()

    with torch.inference_mode():
        return {"tokens_per_second": timed(once, sizes)}


def prompts(sizes: Sizes, n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(4, VOCABULARY, (n, sizes.prompt))


def timed(once: Callable[[int], int], sizes: Sizes) -> float:
    """New tokens per second, warm."""
    once(sizes.prompts)
    wait()
    began = time.perf_counter()
    tokens = once(sizes.prompts)
    wait()
    return tokens / (time.perf_counter() - began)
