"""Process-wide settings that pay, made once at the start of an entry point.

    accelerate.start(threads=2)

glibc hands freed blocks back to the system and faults them in again at every step; keeping them is
worth a fifth of the time of small models on a CPU. On GPUs float32 products may use TF32.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

import joblib
import torch

from tracelab.runs.signals import held

# mallopt's parameters, from malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def start(threads: int | None = None, processes: int = 1) -> None:
    """Keep freed memory, allow TF32, and use so many threads.

    None: `own_threads`, shared by the processes.
    """
    keep_freed_memory()
    torch.set_float32_matmul_precision("high")
    own = own_threads()
    torch.set_num_threads(threads or max(1, own // processes))


@cache
def own_threads() -> int:
    """Torch's own choice when it is first asked, but no more than the cores that a container gives."""
    return max(1, min(torch.get_num_threads(), joblib.cpu_count()))


def keep_freed_memory() -> None:
    """Tell glibc's malloc to serve large blocks from the heap and never to shrink it."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_TOP_PAD, 2**28)


def start_compilers() -> None:
    """Start the processes in which torch compiles a GPU's kernels, out of reach of signals that stop.

    Ctrl-C and the end of a batch job reach all processes at once. A training that is told to stop finishes
    its step first. If the step needs kernels of processes that are gone, it never ends.
    """
    with held():
        from torch._inductor.async_compile import AsyncCompile

        AsyncCompile.warm_pool()
