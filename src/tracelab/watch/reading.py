"""Files that are read again only where they have changed, and the ends of long ones."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from tracelab.core.files import UTF8

T = TypeVar("T")
TAIL = 2**17  # bytes at the end of metrics.csv: some 300 rows
MOST = 2**22  # bytes that are looked through for validations
POINTS = 5  # validations that are shown
VALIDATED = "val/solution_valid"  # the column that a validation fills


class Kept(Generic[T]):
    """A function of a file, called again when the file has changed; None if there is no such file.

    What it refuses (ValueError) is None as well: another process may be writing it.
    """

    def __init__(self, read: Callable[[Path], T]) -> None:
        self.read = read
        self.known: dict[Path, tuple[tuple[int, ...], T | None]] = {}

    def __call__(self, path: Path) -> T | None:
        """What the function says of the file."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if path not in self.known or self.known[path][0] != stamp:
                self.known[path] = (stamp, self.read(path))
        except ValueError:
            self.known[path] = (stamp, None)
        except OSError:
            return None
        return self.known[path][1]


def tail(path: Path) -> list[dict[str, str]]:
    """The last rows of a CSV file, whole ones, by the names in its first line.

    As many as there are in TAIL bytes, or in so many more, up to MOST, that POINTS validations are there.
    """
    with path.open("rb") as file:
        head = file.readline()
        begin, end = file.tell(), file.seek(0, 2)
        size, validated = TAIL, VALIDATED in head.decode(UTF8, "replace").strip().split(",")
        while True:
            start = max(begin, end - size)
            file.seek(start)
            rows = file.read(end - start).decode(UTF8, "replace").splitlines(keepends=True)
            if start > begin:
                rows = rows[1:]  # it may be half a row
            whole = [row for row in rows if row.endswith("\n")]
            found = list(csv.DictReader([head.decode(UTF8, "replace"), *whole]))
            few = validated and sum(bool(row[VALIDATED]) for row in found) < POINTS
            if not few or start == begin or size >= MOST:
                return found
            size = min(8 * size, MOST)
