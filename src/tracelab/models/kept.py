"""What was measured on this machine, kept in its cache by what it is of: a JSON file.

    rates = Kept("precision.json")
    rates.note("product of 2048 x 128 x 704", 31.2)
    rates.read()  # by key

Without a usable cache nothing is kept, and all is measured at each start.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from tracelab.core.files import read_text, write_json
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

    def note(self, key: str, found: Any) -> None:
        """Keep one more, whole or not at all."""
        try:
            write_json(self._file(), self.read() | {key: found})
        except OSError as error:
            not_kept(error)

    def forget(self) -> None:
        """Drop all."""
        with suppress(OSError):
            self._file().unlink()

    def _file(self) -> Path:
        return cache_home() / self.name
