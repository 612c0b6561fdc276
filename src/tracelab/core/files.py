"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, named: Callable[[Path], Path] | None = None) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place at the end of the block.

    If the block fails, nothing is left of it, and what stood at `path` still does. named: what gives the path
    from what was written, where the content decides it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield partial
        os.replace(partial, path if named is None else named(partial))
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
