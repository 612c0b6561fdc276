"""Which kernel attends to packed rows: to train, the one that is asked for or the faster one, measured."""

from __future__ import annotations

import inspect
import time
import warnings
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from tracelab.batches.documents import Documents
from tracelab.models.attention import KERNELS, look_within
from tracelab.models.gpt import GPT

ON_GPUS = ("flex", "varlen")
REPEATS = 5


def choose(wished: str, model: GPT, documents: Documents) -> str:
    """auto: on GPUs the fastest of ON_GPUS at the model's and the batch's shapes, elsewhere `plain`."""
    on_gpu = documents.start.is_cuda
    if wished not in ("auto", *KERNELS):
        raise ValueError(f"attention={wished!r} is unknown; choose one of auto, {', '.join(KERNELS)}")
    if wished in ON_GPUS and not on_gpu:
        raise ValueError(f"attention={wished} needs a GPU to train on; attention=auto takes what there is")
    if wished != "auto":
        return wished
    return fastest(ON_GPUS, model, documents) if on_gpu else "plain"


def fastest(kernels: tuple[str, ...], model: GPT, documents: Documents) -> str:
    """The kernel that takes least time, forward and backward; one that the device can't run is left out."""
    took = {}
    for kernel in kernels:
        try:
            took[kernel] = seconds(kernel, model, documents)
        except (RuntimeError, ImportError, TypeError) as error:  # no such kernel for this device or torch
            warnings.warn(f"attention={kernel} does not run here: {error}", stacklevel=2)
    return min(took, key=lambda kernel: took[kernel]) if took else "plain"


def seconds(kernel: str, model: GPT, documents: Documents) -> float:
    """Seconds that one layer's attention takes, forward and backward, compiled and warm."""
    block: Any = model.blocks[0]
    heads, kv_heads = block.heads
    device, (B, T) = documents.start.device, documents.start.shape
    dtype = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
    shapes = [(n, B, T, block.head_dim) for n in (heads, kv_heads, kv_heads)]
    q, k, v = (torch.randn(s, device=device, dtype=dtype, requires_grad=True) for s in shapes)

    @torch.compile(dynamic=False)
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return look_within(documents, kernel)(q, k, v)

    def repeat(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            attend(q, k, v).square().sum().backward()
        float(q.grad.sum()) if q.grad is not None else None  # waits for the device
        return time.perf_counter() - began

    repeat(2)
    return repeat(REPEATS) / REPEATS


def for_reading(model: GPT) -> str:
    """Attention kernel for packed prompts, forward and uncompiled: varlen where it runs, else plain.

    varlen needs a new torch, Ampere or later, and 16 bits.
    """
    block: Any = model.blocks[0]
    weight = model.embed.weight
    fits = weight.is_cuda and weight.element_size() == 2 and block.head_dim % 8 == 0
    runs = fits and torch.cuda.get_device_capability(weight.device) >= (8, 0)
    return "varlen" if runs and _has_varlen() else "plain"


def _has_varlen() -> bool:
    """Whether torch has varlen attention as `models.attention` calls it: torch >= 2.12."""
    if find_spec("torch.nn.attention.varlen") is None:
        return False
    from torch.nn.attention.varlen import varlen_attn

    return {"window_size", "enable_gqa"} <= inspect.signature(varlen_attn).parameters.keys()
