"""The stages of `bench/gpu_check.py`: each returns figures, and a check raises where they are wrong."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from gpu_models import REAL, SHAPES, VOCABULARY, Sizes, device, wait
from gpu_sampling import prompts
from gpu_training import sequences, train
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tracelab.batches.documents import Documents
from tracelab.batches.loader import Loader
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.decoding import continuous, stepping
from tracelab.models.attention import fused, look_within
from tracelab.models.gpt import GPT
from tracelab.models.kernels import ON_GPUS
from tracelab.models.precision import FULL, REDUCED
from tracelab.optim.adamw import adamw
from tracelab.optim.muon import MuonAdamW
from tracelab.optim.schedule import Linear
from tracelab.training.budget import Budget
from tracelab.training.budgeted import Recipe
from tracelab.training.learner import Learner

HEADS = ((16, 4, 4), (32, 4, 4), (64, 4, 4), (128, 4, 4), (64, 4, 2), (64, 14, 2))  # D, heads, kv_heads
FAR = {FULL: 1e-3, REDUCED: 3e-2}  # from the definition, as a share of the largest number
EVERY, HALF = 5, 10  # steps between lines of the log; until a checkpoint
OPTIMIZERS = {"muon": MuonAdamW, "adamw": adamw}


def seconds(function: Callable[[], object], times: int = 10) -> float:
    function()
    wait()
    began = time.perf_counter()
    for _ in range(times):
        function()
    wait()
    return (time.perf_counter() - began) / times


def ceilings(sizes: Sizes) -> dict[str, Any]:
    """What all else is measured against: products and copies."""
    n, count = (8192, 2**29) if sizes is REAL else (128, 2**20)
    a = torch.randn(n, n, device=device(), dtype=REDUCED)
    x = torch.zeros(count, device=device(), dtype=torch.int8)
    found = {"tflops": 2e-12 * n**3 / seconds(lambda: a @ a), "copy_gb": 2e-9 * count / seconds(x.clone)}
    if torch.cuda.is_available():
        free, whole = torch.cuda.mem_get_info()
        found |= {"device": torch.cuda.get_device_name(), "free_gb": free / 1e9, "memory_gb": whole / 1e9}
    return found


def attention(sizes: Sizes) -> dict[str, Any]:
    """Each kernel's outputs and gradients, uncompiled, against each document by itself in float32."""
    T = 1024 if sizes is REAL else 128
    cuts = [0, T // 3, T // 3 + 1, T // 2, T, T + 1, 2 * T - 9, 2 * T]  # two rows
    start = torch.zeros(2 * T, dtype=torch.int32)
    for cut in cuts[:-1]:
        start[cut:] = cut % T
    edges = torch.tensor(cuts, dtype=torch.int32)
    documents = Documents(start.view(2, T).to(device()), edges.to(device()))
    worst: dict[str, float] = {}
    torch.set_float32_matmul_precision("highest")
    for kernel in ("plain", *ON_GPUS) if torch.cuda.is_available() else ("plain",):
        for dtype in (REDUCED,) if kernel == "varlen" else (FULL, REDUCED):
            for D, heads, kv_heads in HEADS:
                torch._dynamo.reset()  # a ninth shape of one program would go on uncompiled
                fused.cache_clear()
                far = distance(documents, cuts, kernel, dtype, (heads, kv_heads, D))
                name = f"{kernel} {dtype}"
                worst[name] = max(worst.get(name, 0.0), far)
                assert far < FAR[dtype], f"{name}, {heads} heads on {kv_heads} of {D}: {far} off"
    torch.set_float32_matmul_precision("high")
    return worst


def distance(
    documents: Documents, cuts: list[int], kernel: str, dtype: torch.dtype, shape: tuple[int, int, int]
) -> float:
    """The largest difference of outputs and gradients to the definition's, in parts of the largest number."""
    heads, kv_heads, D = shape
    generator = torch.Generator().manual_seed(D)
    B, T = documents.start.shape
    some = [torch.randn(n, B, T, D, generator=generator) for n in (heads, kv_heads, kv_heads)]
    some = [x.to(device(), dtype).requires_grad_() for x in some]
    exact = [x.detach().float().requires_grad_() for x in some]
    found, wanted = look_within(documents, kernel)(*some), by_definition(cuts, *exact)
    grad = torch.randn(wanted.shape, generator=generator).to(device())
    pairs = [
        (found, wanted),
        *zip(
            *(torch.autograd.grad(y, x, grad.to(y.dtype)) for y, x in ((found, some), (wanted, exact))),
            strict=True,
        ),
    ]
    return max(float((a.float() - b).abs().max() / b.abs().max()) for a, b in pairs)


def by_definition(cuts: list[int], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of each document by itself."""
    group = len(q) // len(k)
    q, k, v = (x.flatten(1, 2) for x in (q, k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)))
    parts = [
        scaled_dot_product_attention(q[:, a:b], k[:, a:b], v[:, a:b], is_causal=True)
        for a, b in pairwise(cuts)
    ]
    return torch.cat(parts, 1).unflatten(1, (2, -1))


def sampling(sizes: Sizes) -> dict[str, Any]:
    """Recorded, only compiled and plain steps give the same lines; a CPU's are nearly all the same."""
    rows = Ragged.of(list(prompts(sizes, 24)))
    keys = rng.keys(0, "sampling", 0, 48, "tokens").reshape(24, 2)
    options = {"stop": 3, "max_new": 60, "temperature": 0.7, "rows": 20}
    model = GPT(VOCABULARY, sizes.prompt + 64, **SHAPES["toy"])
    on_gpu = torch.cuda.is_available()

    def lines(where: str, compiled: bool) -> list[list[int]]:
        done = continuous.complete(model.to(where), rows, keys, compiled=compiled, **options)
        return [line.tokens.tolist() for line in done]

    cpu, recorded = lines("cpu", compiled=False), stepping.RECORDED
    torch.set_float32_matmul_precision("highest")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ways = [lines(device(), on_gpu)]
        stepping.RECORDED = ()
        ways += [lines(device(), on_gpu), lines(device(), False)]
        stepping.RECORDED = recorded
    torch.set_float32_matmul_precision("high")
    slower = [str(warning.message) for warning in caught if "slower" in str(warning.message)]
    alike = float(np.mean([a == b for a, b in zip(cpu, ways[0], strict=True)]))
    assert ways[0] == ways[1] == ways[2], "recorded, compiled and plain steps differ"
    assert not slower, slower
    assert alike > 0.9, f"only {alike:.0%} of lines are a CPU's"
    return {"lines": len(cpu), "as_on_a_cpu": alike}


class Watch(lightning.Callback):
    """Losses of all steps, and what waits for the device between lines of the log.

    half: where to save a checkpoint after HALF steps.
    """

    def __init__(self, half: Path | None) -> None:
        self.half = half
        self.losses: list[Tensor] = []
        self.waits: list[str] = []

    def on_train_batch_start(self, trainer: Any, learner: Any, *_: Any) -> None:
        """Let torch say what waits."""
        self.logs = (learner.progress.steps + 1) % EVERY == 0
        self.caught = warnings.catch_warnings(record=True)
        self.seen = self.caught.__enter__()
        warnings.simplefilter("always")
        if torch.cuda.is_available() and learner.progress.steps > EVERY:
            torch.cuda.set_sync_debug_mode("warn")

    def on_train_batch_end(self, trainer: Any, learner: Any, outputs: Any, *_: Any) -> None:
        """Note it, if no line of the log is due."""
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")
        self.caught.__exit__(None, None, None)
        for warning in [] if self.logs else self.seen or ():
            if "called a synchronizing" in str(warning.message):
                self.waits.append(f"{warning.filename}:{warning.lineno}")
        self.losses.append(outputs["loss"].detach())
        if self.half and learner.progress.steps == HALF:
            trainer.save_checkpoint(self.half)


def learned(
    sizes: Sizes, optimizer: str, where: str, half: Path | None = None, resume: Path | None = None
) -> tuple[Learner, Watch]:
    """A small model trained in float32 for twice HALF steps."""
    row = 4096 if sizes is REAL else 256
    model = GPT(VOCABULARY, row, layers=4 if sizes is REAL else 1, width=128, heads=2, mlp=256, qk_norm=True)
    learner, watch = (
        Learner(model, Recipe(OPTIMIZERS[optimizer], Linear(), Budget(steps=2 * HALF))),
        Watch(half),
    )
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = lightning.Trainer(
        accelerator=where,
        devices=1,
        precision="32-true",
        max_epochs=1,
        gradient_clip_val=1.0,
        log_every_n_steps=EVERY,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        callbacks=[watch],
        **dict.fromkeys(quiet, False),
    )
    data = sequences(sizes)
    loader = Loader(lambda k: data, batch_tokens=row * 2, packing=row, context=row, pins=where == "gpu")
    trainer.fit(learner, loader, ckpt_path=resume, weights_only=True)
    return learner, watch


def learning(sizes: Sizes) -> dict[str, Any]:
    """Losses are a CPU's, no step waits between lines of the log, and a resumed run is the whole one."""
    here, found = "gpu" if torch.cuda.is_available() else "cpu", {}
    torch.set_float32_matmul_precision("highest")
    for name in OPTIMIZERS:
        with tempfile.TemporaryDirectory() as folder:
            half = Path(folder) / "half.ckpt"
            whole, watch = learned(sizes, name, here, half)
            parts, rest = learned(sizes, name, here, resume=half)
        assert len(rest.losses) == HALF, "nothing was resumed"
        cpu = learned(sizes, name, "cpu")[1]
        pairs = zip(whole.model.parameters(), parts.model.parameters(), strict=True)
        off = max(float((a - b).abs().max()) for a, b in pairs)
        first, later = apart(watch.losses, cpu.losses), apart(watch.losses[HALF:], rest.losses)
        found[name] = {"resumed_off": off, "resumed_losses_off": later, "cpu_off": first}
        found[name]["waits"] = len(watch.waits)
        assert first < 1e-4, f"{name}: losses are {first} from a CPU's"
        assert later < 1e-5, f"{name}: losses of a resumed run are {later} off"
        assert off < 1e-5, f"{name}: weights of a resumed run are {off} off"
        assert not watch.waits, watch.waits[:3]
    torch.set_float32_matmul_precision("high")
    return found


def apart(one: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference of losses, step by step."""
    return max(abs(float(a) - float(b)) for a, b in zip(one, other, strict=True))


def memory(name: str, sizes: Sizes) -> dict[str, Any]:
    """Speed, and the most memory that training takes, at a batch's tokens or, if they don't fit, at half."""
    row = 8192 if sizes is REAL else 256
    few = {"warm": 3, "steps": 10} if sizes is REAL else {}
    for batch in (sizes.batch, sizes.batch // 2):
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        try:
            figures = train(name if sizes is REAL else "toy", row, replace(sizes, batch=batch, **few))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            continue
        peak = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
        return {"batch_tokens": batch, "peak_gb": peak} | figures
    return {"batch_tokens": None}


def training(name: str, sizes: Sizes) -> dict[str, Any]:
    """Tokens per second and MFU, and then the kernels that took most of a few more steps."""
    row = 8192 if sizes is REAL else 256
    name = name if sizes is REAL else "toy"
    figures = train(name, row, sizes)
    with torch.profiler.profile() as profile:
        train(name, row, replace(sizes, warm=1, steps=3))
    time_of = f"self_{'device' if torch.cuda.is_available() else 'cpu'}_time_total"
    took = {event.key[:80]: getattr(event, time_of) / 1000 for event in profile.key_averages()}
    return figures | {"kernels_ms": dict(sorted(took.items(), key=lambda item: -item[1])[:15])}
