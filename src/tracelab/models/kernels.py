"""Which kernel attends to packed rows: to train, the one that is asked for or the faster one, measured.

It is measured once for a GPU, torch's version and a shape, and kept in the cache: so the arms of a study that
are trained on one machine have one kernel. run.json says which.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from tracelab.batches.documents import Documents
from tracelab.models.attention import KERNELS, VARLEN, look_within
from tracelab.models.gpt import GPT
from tracelab.models.kept import Kept

ON_GPUS = ("flex", "varlen")
NEEDS_GPU = "attention={} needs a GPU to train on; attention=auto takes what there is"
REPEATS = 20
CHOICES = Kept("attention.json")


def choose(wished: str, model: GPT, documents: Documents) -> str:
    """auto: on GPUs the fastest of ON_GPUS at the model's and the batch's shapes, elsewhere `plain`."""
    on_gpu = documents.start.is_cuda
    if wished not in ("auto", *KERNELS):
        raise ValueError(f"attention={wished!r} is unknown; choose one of auto, {', '.join(KERNELS)}")
    if wished in ON_GPUS and not on_gpu:
        raise ValueError(NEEDS_GPU.format(wished))
    if wished != "auto":
        return wished
    return kept(model, documents) if on_gpu else "plain"


def kept(model: GPT, documents: Documents) -> str:
    """The fastest of ON_GPUS, measured when a GPU meets these shapes for the first time."""
    block: Any = model.blocks[0]
    device = documents.start.device
    shape = *documents.start.shape, *block.heads, block.head_dim, _dtype(device)
    key = "|".join(map(str, (torch.cuda.get_device_name(device), torch.__version__, *shape)))
    return str(CHOICES.found(key, lambda: fastest(ON_GPUS, model, documents), fits=ON_GPUS.__contains__))


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
    """Seconds of a GPU that one layer's attention takes, forward and backward, compiled and warm.

    What all layers share, such as the mask of blocks, is made before.
    """
    block: Any = model.blocks[0]
    heads, kv_heads = block.heads
    device, (B, T) = documents.start.device, documents.start.shape
    shapes = [(n, B, T, block.head_dim) for n in (heads, kv_heads, kv_heads)]
    some = [torch.randn(s, device=device, dtype=_dtype(device), requires_grad=True) for s in shapes]
    look = look_within(documents, kernel)

    @torch.compile(dynamic=False)
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return look(q, k, v)

    def repeat(times: int) -> float:
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        for _ in range(times):
            torch.autograd.grad(attend(*some).square().sum(), some)
        ended.record()
        ended.synchronize()
        return began.elapsed_time(ended) / 1000

    repeat(3)
    return repeat(REPEATS) / REPEATS


def _dtype(device: torch.device) -> torch.dtype:
    """The format of matrix products there, as it stands."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32


def for_reading(model: GPT) -> str:
    """Attention kernel for packed prompts, forward and uncompiled: varlen where it runs, else plain.

    varlen needs torch >= 2.11, Ampere or later, and 16 bits.
    """
    block: Any = model.blocks[0]
    weight = model.embed.weight
    fits = weight.is_cuda and weight.element_size() == 2 and block.head_dim % 8 == 0
    runs = fits and torch.cuda.get_device_capability(weight.device) >= (8, 0)
    return "varlen" if runs and "window_size" in VARLEN else "plain"
