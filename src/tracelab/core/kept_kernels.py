"""Numba's cache of compiled kernels, to which one process at a time writes, and which never fails a run.

kernel._cache = cache_of(function)

Two that compiled the same function for different types at once might take one file name for both, and the
index say of the one that it is the other: a kernel called with arrays that it does not know. What cannot be
read (half a file, after a crash) is compiled anew; what cannot be written is not kept, nor what is made of
sources that are no files. `NUMBA_CACHE_DIR` says where it is, as `jit` sets it; where it is empty, nothing is
kept.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, UserProvidedCacheLocator

from tracelab.core.files import lock
from tracelab.core.paths import not_kept
from tracelab.core.sources import versions

MET: set[str] = set()  # modules that were met to have kernels


def cache_of(function: Callable[..., Any]) -> Any:
    """A function's cache."""
    MET.add(function.__module__)
    kept = os.environ["NUMBA_CACHE_DIR"] and Path(function.__code__.co_filename).is_file()
    return Enduring(function) if kept else NullCache()


class Locator(UserProvidedCacheLocator):
    """The folder, which may be read where it can't be written. (Numba's would take another then.)"""

    def ensure_cache_path(self) -> None:
        """Nothing: it is made where something is kept."""


class Impl(CompileResultCacheImpl):
    """What is kept of a compiled function, in that folder."""

    _locator_classes = [Locator]  # noqa: RUF012 (as numba has it)


class Enduring(FunctionCache):
    """The cache of one function, by its types and by the versions of other packages within it."""

    _impl_class = Impl

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        """Numba's, and the versions of the other packages whose code may be within."""
        return *super()._index_key(sig, codegen), tuple((self._others(sig) or {}).items())

    def _others(self, sig: Any) -> dict[str, str] | None:
        """What `versions` says of packages whose code may be within: a kernel of theirs, or for a space of
        theirs, may call any kernel of theirs.
        """
        mine = {self._py_func.__module__, *_modules(sig)}
        return versions(mine | MET) if versions(mine) != {} else {}

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled for these types; None if nothing is kept, or it cannot be read."""
        try:
            return None if self._others(sig) is None else super().load_overload(sig, target_context)
        except Exception:  # there is no saying what half a pickle raises
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep it, if that can be."""
        if self._others(sig) is None:
            return
        try:
            Path(self.cache_path).mkdir(parents=True, exist_ok=True)
            with open(Path(os.environ["NUMBA_CACHE_DIR"]) / "lock", "ab") as file:
                lock(file, fcntl.flock)
                super().save_overload(sig, data)
        except OSError as error:
            not_kept(error)


def _modules(kinds: Any) -> Iterator[str]:
    """Modules of the NamedTuple classes among types, and within these."""
    for kind in kinds:
        if hasattr(kind, "instance_class"):
            yield kind.instance_class.__module__
        yield from _modules(getattr(kind, "types", ()))
