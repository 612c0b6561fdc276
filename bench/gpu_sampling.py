"""Sampling from a full batch of prompts, for `bench/gpu.py`: our sampler, and Hugging Face's generate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_models import VOCABULARY, Sizes, device, llama, model_of, wait

from tracelab import accelerate
from tracelab.core.ragged import Ragged


def sample(name: str, row: int, sizes: Sizes) -> dict[str, Any]:
    """Our sampler, all prompts in one batch; no token is a stop."""
    from tracelab.sampling import generate

    accelerate.start()
    model = model_of(name, sizes.prompt + sizes.new).to(device())

    def once(n: int) -> int:
        rows = Ragged.of(list(prompts(sizes, n)))
        done = generate(model, rows, stop=VOCABULARY, max_new=sizes.new, batch_size=n)
        return len(done.tokens.values)

    return {"tokens_per_second": timed(once, sizes)}


def hf_sample(name: str, row: int, sizes: Sizes) -> dict[str, Any]:
    """HF generate, all prompts in one batch."""
    from transformers import GenerationConfig

    model = llama(name, "sdpa", sizes.prompt + sizes.new).to(device(), torch.bfloat16).eval()
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
