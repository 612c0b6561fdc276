"""Memory that reading may take, whatever a file claims to hold: a few kilobytes can claim terabytes.

    for batch in within(ROOM, batches):
        ...

It is the system that refuses, so there is no claim that must be understood, and none that can lie.
"""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tracelab.core.files import read_text

HELD = Path("/proc/self/statm")  # Linux: its first number is what the process holds, in pages
ALONE = threading.Lock()  # two threads that limit the process would each restore the other's limit

T = TypeVar("T")


def within(room: int, items: Iterator[T]) -> Iterator[T]:
    """The items; while one is made the process can take so many bytes more. MemoryError where it wants to."""
    while True:
        with limited(room):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


@contextmanager
def limited(room: int) -> Iterator[None]:
    """While this lasts, the process gets so many more bytes of addresses, and no more (Linux counts them)."""
    if not HELD.exists():
        yield
        return
    with ALONE:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = int(read_text(HELD).split()[0]) * resource.getpagesize() + room
        if soft == resource.RLIM_INFINITY or most < soft:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
