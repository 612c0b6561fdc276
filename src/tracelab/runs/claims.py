"""Who may write to a run's folder: one process at a time claims it.

with claimed(folder):
...
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracelab.core.files import lock

LOCK = ".lock"
HELD: set[str] = set()  # the locks that this process has
FLOCK = "hhqqi4x"  # struct flock of Linux: kind, whence, start, length, process


@contextmanager
def claimed(folder: str | Path) -> Iterator[None]:
    """Keep other processes from training in a folder; ends with this one. ValueError if another does."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = os.path.realpath(Path(folder) / LOCK)
    with open(path, "ab") as file:
        if not lock(file, fcntl.lockf, wait=False):
            raise ValueError(f"another process is training in {folder}: wait for it, or stop it")
        HELD.add(path)
        try:
            yield
        finally:
            HELD.discard(path)


def is_claimed(folder: Path, unknown: bool = True) -> bool:
    """Is another process training in a folder? unknown: the answer on file systems without locks.

    It is asked without taking the lock, which would stop a run that begins. What this process has is not
    asked for: to close the file gives a lock up.
    """
    if os.path.realpath(folder / LOCK) in HELD:
        return False
    try:
        with (folder / LOCK).open("rb") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except FileNotFoundError:
        return False
    except OSError:
        return unknown
    kind: int = struct.unpack(FLOCK, answer)[0]
    return kind != fcntl.F_UNLCK
