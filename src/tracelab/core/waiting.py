"""A line on standard error about work that takes more than two seconds, and none about what takes less.

    with waiting("Drawing problems", 50_000) as done:
        ...
        done(1024)

It says what is done, how much of it, and for how long. It is rewritten in place on a terminal, where nothing
of it is left in the end, and printed now and then elsewhere.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tracelab.core.terminal import columns

PATIENCE = 2.0  # seconds before the first line
PAUSE = 20.0  # between lines where standard error is no terminal
WIDTH = 79  # of lines elsewhere
BLINK = 0.2  # between lines on a terminal

_waits: list[_Wait] = []  # the work within work last: that one is shown


class _Wait(threading.Thread):
    """total: items of the work, or None if they can't be counted."""

    def __init__(self, what: str, total: int | None) -> None:
        super().__init__(daemon=True)
        self.what, self.total = what, total
        self.began, self.items = time.monotonic(), 0
        self.ended, self.lock = threading.Event(), threading.Lock()
        self.terminal = sys.stderr.isatty()

    def done(self, items: int = 1) -> None:
        """So many items more are done."""
        with self.lock:
            self.items += items

    def run(self) -> None:
        pause = PATIENCE
        while not self.ended.wait(pause):
            if _waits[-1:] == [self]:
                line = self.line(columns(sys.stderr) - 1 if self.terminal else WIDTH)
                self.write(f"\r\033[K{line}" if self.terminal else f"{line}\n")
            pause = BLINK if self.terminal else PAUSE

    def line(self, width: int) -> str:
        """`Drawing problems: 1,024 of 50,000, 12 s`; where that is too long, the words are cut."""
        tail = f"{time.monotonic() - self.began:.0f} s"
        if self.total is not None:  # more than was asked for may be drawn, where some must be left out
            tail = f"{self.items:,} of {max(self.total, self.items):,}, {tail}"
        return f"{self.what[: max(0, width - len(tail) - 2)]}: {tail}"[:width]

    def write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def waiting(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """While this lasts, the work is spoken of -> a function that counts what is done, from any thread."""
    wait = _Wait(what, total)
    _waits.append(wait)
    wait.start()
    try:
        yield wait.done
    finally:
        wait.ended.set()
        wait.join()
        _waits.remove(wait)
        if wait.terminal and time.monotonic() - wait.began > PATIENCE:
            wait.write("\r\033[K")
