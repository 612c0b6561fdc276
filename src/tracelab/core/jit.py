"""Kernels: the functions that draw, solve, record, treat and judge, compiled by numba or as they stand.

Numba's cache looks at the file of the function alone, so a kernel that calls another file's kernel
keeps running the old code after that file changes: a silent wrong number. The cache folder is
therefore named by a hash of every source file of tracelab that can hold kernels. A kernel of another
package, or one that was compiled for its spaces, is kept by the version of that package, too.

To compile takes a minute, which nobody waits to see one example. Who needs a handful of problems says so
before kernels are imported, and they are plain Python then, with the same results:

    jit.interpret()
    from tracelab.tasks.maze import Maze
"""

import os
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from tracelab.core.paths import cache_home, not_kept
from tracelab.core.sources import sources_hash

Kernel = Callable[..., Any]
Function = TypeVar("Function", bound=Kernel)


class _Mode:
    """Are kernels plain Python? None until the first is met; all of a process are alike.

    calls: of a rehearsal, what kernels were called with from outside; inside: is one running?
    """

    interpreted: bool | None = None
    calls: list[tuple[Kernel, tuple[Any, ...]]] | None = None
    inside = False


def interpret() -> None:
    """Let kernels be plain Python, unless some were imported before: then they stay compiled, all of them."""
    if _Mode.interpreted is None:
        _Mode.interpreted = True


def rehearse() -> list[tuple[Kernel, tuple[Any, ...]]]:
    """`interpret` -> a list that will hold each kernel that is called from outside of kernels, with what."""
    assert _Mode.interpreted is None, "a rehearsal comes before kernels are imported"
    _Mode.interpreted, _Mode.calls = True, []
    return _Mode.calls


def interpreted() -> bool:
    """Are this process's kernels plain Python? The first to ask settles it."""
    _Mode.interpreted = bool(_Mode.interpreted) or disabled()
    return _Mode.interpreted


def disabled() -> bool:
    """Has the user told numba to compile nothing (NUMBA_DISABLE_JIT=1)? Then kernels are plain Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def kernels_folder() -> Path:
    """Where compiled kernels of these sources are kept. OSError if the user has no home."""
    return cache_home() / "kernels" / sources_hash()


@cache
def _numba() -> Any:
    """The compiler, with its cache where the sources say; without one where there is no such place."""
    # whatever it was: another folder would not be named by the sources (TRACELAB_CACHE moves ours)
    try:
        os.environ["NUMBA_CACHE_DIR"] = str(kernels_folder())
    except OSError as error:
        os.environ["NUMBA_CACHE_DIR"] = ""
        not_kept(error)

    import numba

    setattr(numba.config, "CACHE_DIR", os.environ["NUMBA_CACHE_DIR"])  # noqa: B010 (it may have been imported before)
    return numba


def _compiled(function: Function, **options: Any) -> Function:
    """Kept on disk (unless its source is no file), releasing the GIL, dividing as NumPy does."""
    if interpreted():
        return function if _Mode.calls is None else cast(Function, _noted(function, _Mode.calls))
    kernel: Any = _numba().njit(function, nogil=True, error_model="numpy", **options)
    from tracelab.core.kept_kernels import cache_of

    kernel._cache = cache_of(function)
    kernel.get_call_template = _without_literals(kernel.get_call_template)
    return cast(Function, kernel)


def _without_literals(template: Kernel) -> Kernel:
    """A kernel that another calls with 0 and with 1 is compiled once, for integers, not for 0 and for 1."""
    from numba.core.types import unliteral

    def call(arguments: Any, keywords: Any) -> Any:
        return template(tuple(map(unliteral, arguments)), {k: unliteral(v) for k, v in keywords.items()})

    return call


def _noted(function: Kernel, calls: list[tuple[Kernel, tuple[Any, ...]]]) -> Kernel:
    """The function, noting in a list what it is called with from outside of kernels."""

    @wraps(function)
    def call(*arguments: Any) -> Any:
        if _Mode.inside:
            return function(*arguments)
        calls.append((function, arguments))
        _Mode.inside = True
        try:
            return function(*arguments)
        finally:
            _Mode.inside = False

    return call


def njit(function: Function) -> Function:
    """Compile without Python objects, keep the result on disk, release the GIL while it runs.

    As it stands it raises where a narrow integer (int16) overflows: compiled, products of those are wide.
    """
    return _compiled(np.errstate(over="raise")(function) if interpreted() else function)


def kernel(function: Function) -> Function:
    """`njit` for inner loops, without reference counts: they may neither allocate nor return arrays.

    An ordinary compiled call counts, atomically, every array that it is passed, those within tuples
    too; with a state space and a board as tuples of arrays that took nine tenths of a replay's time.
    """
    return _compiled(function, _nrt=False)


def dense(function: Function) -> Function:
    """`njit` for loops over floats: products and sums may be fused, and no value is infinite or NaN.

    Such a kernel calls kernels of its own file alone (or of those that `sources_hash` covers).
    """
    return _compiled(function, fastmath={"contract", "nnan", "ninf", "nsz"})


def wrapping(function: Function) -> Function:
    """Stands below `kernel` where sums and products are meant modulo 2**64: NumPy would warn of overflow."""
    return np.errstate(over="ignore")(function) if interpreted() else function
