"""What was measured on this machine, kept in its cache by what it is of: a JSON file.

    rates = Kept("precision.json")
    rates.found("product of 2048 x 128 x 704", measure)  # measure(), where nothing is kept of it
    rates.read()  # by key

One process at a time measures: the arms of a sweep that start at once would measure each other's load, and
each decide for itself. Without a usable cache nothing is kept, and all is measured at each start.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tracelab.core.files import lock, read_text, write_json
from tracelab.core.paths import cache_home, not_kept


class Kept:
    """Measurements by key. name: of the file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self) -> dict[str, Any]:
        """All that is kept; nothing, if the file is missing or damaged."""
        try:
            content = json.loads(read_text(self._file()))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def found(self, key: str, measure: Callable[[], Any], fits: Callable[[Any], bool] | None = None) -> Any:
        """What is kept of a key; what `measure` finds, where nothing is. fits: can what is kept be used?"""

        def usable(known: dict[str, Any]) -> bool:
            return key in known and (fits is None or fits(known[key]))

        if usable(known := self.read()):
            return known[key]
        with self._alone():
            if usable(known := self.read()):
                return known[key]
            measured = measure()
            try:
                write_json(self._file(), self.read() | {key: measured})
            except OSError as error:
                not_kept(error)
        return measured

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While this lasts, other processes wait that want to measure."""
        with ExitStack() as stack:
            try:
                path = self._file().with_suffix(".lock")
                path.parent.mkdir(parents=True, exist_ok=True)
                lock(stack.enter_context(path.open("ab")), fcntl.lockf)
            except OSError as error:
                not_kept(error)
            yield

    def forget(self) -> None:
        """Drop all."""
        with suppress(OSError):
            self._file().unlink()

    def _file(self) -> Path:
        return cache_home() / self.name
