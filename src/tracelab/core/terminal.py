"""What is said to people, which never fails a run: standard output and standard error.

    endure()        # first of all in a program

A sign that the terminal's encoding does not have is written in ASCII. When nobody reads any more (`| head`),
the terminal is gone or the disk under a log is full, what is said is lost, and the program goes on.
"""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INTERRUPTED = 130  # exit status, as shells give it
OURS = "in_ascii"  # what to do about a sign that an encoding has not
ASCII = {"–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "━": "=", "─": "-", "█": "#", "·": "."}


def endure() -> None:
    """Let both streams outlive whoever reads them; those that a notebook or a test has put there stay."""
    codecs.register_error(OURS, _in_ascii)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: >&-
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), "utf-8"))
        elif type(stream) is io.TextIOWrapper and stream.errors != OURS:
            stream.flush()
            lines = stream.line_buffering or stream.write_through
            outlet = _Outlet(stream.fileno(), "w", closefd=False)
            setattr(sys, name, _text(outlet, stream.encoding, lines))


@contextmanager
def interruptible(outcome: str) -> Iterator[None]:
    """Ctrl-C ends the program with a line and the exit status that shells give it. outcome: what is left."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"Interrupted. {outcome}", file=sys.stderr, flush=True)
        sys.exit(INTERRUPTED)


def log(path: Path) -> io.TextIOWrapper:
    """A text file to add lines to, that endures as well."""
    return _text(_Outlet(path, "a"), "utf-8", lines=True)


def _text(outlet: _Outlet, encoding: str, lines: bool) -> io.TextIOWrapper:
    buffer: Any = io.BufferedWriter(outlet)
    return io.TextIOWrapper(buffer, encoding, OURS, line_buffering=lines)


class _Outlet(io.FileIO):
    """A descriptor, on which a write that fails is as good as one that does not."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """What stands for signs that cannot be written, as `codecs` asks for it."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    escaped = (ASCII.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs)
    return "".join(escaped), error.end


def counted(number: int, thing: str) -> str:
    """`1 seed`, `1,200 seeds`: a number of things; thing: the word for one."""
    return f"{number:,} {thing}" + ("" if number == 1 else "es" if thing.endswith(("s", "ch")) else "s")


def figure(number: float, digits: int = 3) -> str:
    """A number: one that is whole in full (`12,345`), any other with so many significant digits."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:.{digits}g}"


def columns(stream: Any) -> int:
    """How wide the terminal is that a stream writes to."""
    try:
        wide = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        wide = 0
    return wide or shutil.get_terminal_size().columns
