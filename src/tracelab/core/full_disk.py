"""A full disk, said in plain words: what could not be written, and what to do.

It reaches us in many shapes: an OSError without a path, or an error of torch that does not say it and has
the cause behind it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)  # no room, or no more than the quota


class FullDiskError(OSError):
    """A file that could not be written for want of room."""

    def words(self, again: str = "") -> str:
        """What is full and what to do. again: what the same command needs to go on, if anything."""
        return (
            f"the disk is full: {self.filename or 'a file'} could not be written ({self.strerror}). What was "
            f"written before is kept. Free some room there, and give the same command again{again}"
        )

    def __str__(self) -> str:
        return self.words()


def disk_full(error: BaseException | None, path: str | Path | None = None) -> FullDiskError | None:
    """What an error, or one that it came of, says of a full disk; None if nothing.

    path: what was to be written, where the error does not say it.
    """
    for each in _causes(error):
        if isinstance(each, FullDiskError):
            return each
        if isinstance(each, OSError) and each.errno in FULL:
            named = path or each.filename
            return FullDiskError(each.errno, os.strerror(each.errno), None if named is None else str(named))
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and what was being handled then; each once."""
    found: list[BaseException] = []
    left = [error]
    while left:
        each = left.pop()
        if each is not None and not any(each is known for known in found):
            found.append(each)
            yield each
            left += [each.__context__, each.__cause__]
