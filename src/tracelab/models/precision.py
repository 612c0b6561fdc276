"""The number format of matrix products: the one place that decides it, by measuring.

    chosen = choose("auto", torch.device("cpu"), tokens=2048, width=128, hidden=704)
    model.products = chosen.products

bfloat16 halves the time of a product where the processor has units for it. Where it has none (AVX2: most
laptops), a bfloat16 product takes 20 to 40 times as long as a float32 one. So both are timed once at the
model's shapes, and the answer is kept in the cache. Everything that multiplies matrices of a model asks
`model.products`: training, Muon, sampling, rollouts, evaluation and probes.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tracelab.core.files import read_text
from tracelab.models.kept import Kept

FULL, REDUCED = torch.float32, torch.bfloat16
NAMES = {"32-true": FULL, "bf16-mixed": REDUCED}  # Lightning's words for what is supported
WORTH = 1.2  # times as fast: below it, float32's digits are worth more
EMULATED = 4  # times as slow: a processor without units for bfloat16
TIMES = 5  # at least, of which the shortest counts
RATES = Kept("precision.json")
SECONDS, PROBE_ROWS = 0.05, 64  # time that a format is measured for; rows of a first, small product


@dataclass(frozen=True)
class Precision:
    """A choice and its reason.

    name: as Lightning's Trainer takes it, a key of NAMES; why: one clause for people; gflops: the measured
    rates by format, in 10^9 operations a second, empty if nothing was measured.
    """

    name: str
    why: str
    gflops: Mapping[str, float] = field(default_factory=dict)

    @property
    def products(self) -> torch.dtype:
        """The format of matrix products."""
        return NAMES[self.name]

    def __str__(self) -> str:
        return f"Precision {self.name}: {self.why}"

    def as_dict(self) -> dict[str, Any]:
        """Fields by name, for run.json and data cards."""
        return {"name": self.name, "why": self.why, "gflops": dict(self.gflops)}


def name_of(products: torch.dtype) -> str:
    """Lightning's word for a format."""
    return next(name for name, dtype in NAMES.items() if dtype == products)


def check_name(wished: str) -> None:
    """ValueError if it is no precision that is supported."""
    if str(wished) not in ("auto", *NAMES):
        raise ValueError(f"trainer.precision={wished} is not supported; choose auto, {' or '.join(NAMES)}")


def choose(
    wished: str,
    device: torch.device,
    *,
    tokens: int,
    width: int,
    hidden: int,
    before: str | None = None,
    trained: str | None = None,
) -> Precision:
    """The precision to compute in.

    wished: what the user asks for; anything but "auto" wins. before: what a resumed run had, which it keeps.
    trained: what the run was trained in whose model is asked: kept, but for bfloat16 where there are no units
    for it. Else a GPU takes bfloat16 if it has units for it, and a CPU the format that is faster for a
    product of (tokens, width) and (width, hidden). ValueError if what is wished for is not supported.
    """
    check_name(wished)
    if wished != "auto":
        return Precision(wished, "as asked for")
    if before is not None:
        return Precision(before, "as the run was begun")
    if trained is not None and (NAMES[trained] == FULL or _has_units(device, tokens, width, hidden)):
        return Precision(trained, "as the run was trained")
    if device.type == "cuda":
        return _of_gpu()
    gflops = measured(tokens, width, hidden)
    full, reduced = gflops["float32"], gflops["bfloat16"]
    rates = f"measured here: bfloat16 {reduced:,.1f}, float32 {full:,.1f} GFLOP/s"
    return Precision("bf16-mixed" if reduced > WORTH * full else "32-true", rates, gflops)


def _of_gpu() -> Precision:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision("bf16-mixed", "the GPU has units for bfloat16")
    return Precision("32-true", "the GPU has no units for bfloat16")


def _has_units(device: torch.device, tokens: int, width: int, hidden: int) -> bool:
    """Does it multiply bfloat16 itself? Where it has to be emulated, that is many times as slow."""
    if device.type == "cuda":
        return _of_gpu().products == REDUCED
    gflops = measured(tokens, width, hidden)
    return EMULATED * gflops["bfloat16"] > gflops["float32"]


def measured(tokens: int, width: int, hidden: int) -> dict[str, float]:
    """10^9 operations a second of (tokens, width) @ (width, hidden) in float32 and bfloat16 on this CPU.

    Kept in the cache for this processor, its instructions, the threads, torch's version and the shape.
    """
    key = "|".join(
        map(str, (_processor(), torch.get_num_threads(), torch.__version__, tokens, width, hidden))
    )
    rates: dict[str, float] = RATES.found(key, partial(_rates, tokens, width, hidden))
    return rates


def forget() -> None:
    """Drop all rates that were kept, so that they are measured anew."""
    RATES.forget()


def _processor() -> str:
    """What decides speed: the processor, and the instructions that torch may use of it."""
    info = Path("/proc/cpuinfo")
    text = read_text(info) if info.is_file() else ""
    name = next((line for line in text.splitlines() if line.startswith("model name")), platform.processor())
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return f"{platform.machine()} {name} {torch.backends.cpu.get_cpu_capability()} {limit}"


def _rates(*shape: int) -> dict[str, float]:
    return {"float32": _rate(FULL, *shape), "bfloat16": _rate(REDUCED, *shape)}


def _rate(dtype: torch.dtype, tokens: int, width: int, hidden: int) -> float:
    """The best of several products; of a few rows only, where more of them would take long."""
    rows = min(tokens, PROBE_ROWS)
    seconds = _seconds(dtype, rows, width, hidden, 0.0)
    if seconds * tokens / rows < SECONDS:
        rows = tokens
        seconds = _seconds(dtype, rows, width, hidden, SECONDS)
    return 2e-9 * rows * width * hidden / seconds


def _seconds(dtype: torch.dtype, rows: int, width: int, hidden: int, least: float) -> float:
    """The shortest time of a product, measured TIMES and for `least` seconds, after a first one.

    A single one may be interrupted by another program, and would look slow.
    """
    a, b = torch.ones(rows, width, dtype=dtype), torch.ones(width, hidden, dtype=dtype)
    a @ b
    best = float("inf")
    times = 0
    until = time.perf_counter() + least
    while times < TIMES or time.perf_counter() < until:
        began = time.perf_counter()
        a @ b
        best, times = min(best, time.perf_counter() - began), times + 1
    return best
