"""`njit` as used here: cached on disk, GIL released, and never stale.

Numba's cache looks at the file of the function alone, so a kernel that calls another file's kernel
keeps running the old code after that file changes: a silent wrong number. The cache folder is
therefore named by a hash of every source file that can hold kernels.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from tracelab.paths import PACKAGE, TASKS, cache_home


@cache
def sources_hash() -> str:
    """Names the version of all code that draws, solves, records, treats or judges problems."""
    digest = hashlib.sha256()
    for folder in (PACKAGE / "core", PACKAGE / "search", PACKAGE / "traces", TASKS):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


# whatever it was: another folder would not be named by the sources (TRACELAB_CACHE moves ours)
os.environ["NUMBA_CACHE_DIR"] = str(cache_home() / "kernels" / sources_hash())

import numba  # noqa: E402  (reads NUMBA_CACHE_DIR when it is imported)

setattr(numba.config, "CACHE_DIR", os.environ["NUMBA_CACHE_DIR"])  # noqa: B010 (it may have been imported before)


def njit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without Python objects, keep the result on disk, release the GIL while it runs."""
    compiled: Callable[..., Any] = numba.njit(function, cache=True, nogil=True, error_model="numpy")
    return compiled


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """`njit` for inner loops, without reference counts: they may neither allocate nor return arrays.

    An ordinary compiled call counts, atomically, every array that it is passed, those within tuples
    too; with a state space and a board as tuples of arrays that took nine tenths of a replay's time.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
    return numba.njit(function, **options)


def dense(function: Callable[..., Any]) -> Callable[..., Any]:
    """`njit` for loops over floats: products and sums may be fused, and no value is infinite or NaN.

    Such a kernel calls kernels of its own file alone (or of those that `sources_hash` covers).
    """
    fused = {"contract", "nnan", "ninf", "nsz"}
    compiled: Callable[..., Any] = numba.njit(
        function, cache=True, nogil=True, error_model="numpy", fastmath=fused
    )
    return compiled
