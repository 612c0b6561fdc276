"""Lines of text files that others wrote: plain or gzip, UTF-8 or UTF-16, in bounded memory.

for number, line, fault in lines_of("mazes.jsonl.gz"):
    ...
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LONGEST = 1 << 23  # characters of a line: room for the trace of the largest maze that there is
GZIP = b"\x1f\x8b"
MARKS = {
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}  # byte-order marks; that of UTF-8 is left out by its codec
BROKEN = "\udc80"  # is read for bytes that are no text; half a pair, which no text has
MARK_BROKEN = "tracelab.broken"  # of codecs: how


def _mark(error: UnicodeError) -> tuple[str, int]:
    """What is read for bytes that are no text, and where text may go on."""
    assert isinstance(error, UnicodeDecodeError)
    return BROKEN, error.end


codecs.register_error(MARK_BROKEN, _mark)


def lines_of(path: str | Path) -> Iterator[tuple[int, str, str]]:
    """(number from 1, line without its end, why it is not text or "") of each line that is not blank.

    What the file is, its first bytes say. ValueError with path and line where compressed data is damaged.
    """
    number = 0
    with open(path, "rb") as raw:
        try:
            for number, line in enumerate(_raw(raw), 1):
                if len(line) > LONGEST:
                    yield number, "", f"longer than {LONGEST:,} characters"
                elif BROKEN in line:
                    yield number, "", "not text in UTF-8, or in UTF-16 with a byte-order mark"
                elif not line.isspace():
                    yield number, line.rstrip("\r\n"), ""
        except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
            raise ValueError(
                f"{path}, line {number + 1}: the file is damaged from here on ({error})"
            ) from None


def _raw(raw: io.BufferedReader) -> Iterator[str]:
    """Lines with their ends; of a long one the beginning, a character more than the longest."""
    with _opened(raw) as text:
        while line := text.readline(LONGEST + 1):
            if len(line) > LONGEST:
                _skip(text, line)
            yield line


def _opened(raw: io.BufferedReader) -> io.TextIOWrapper:
    """The file as text; bytes that are none read as BROKEN."""
    packed = raw.read(2) == GZIP
    raw.seek(0)
    content: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    encoding = MARKS.get(content.peek(2)[:2], "utf-8-sig")
    return io.TextIOWrapper(content, encoding=encoding, errors=MARK_BROKEN, newline="\n")


def _skip(text: io.TextIOWrapper, line: str) -> None:
    """Read the rest of a long line, and forget it."""
    while line and not line.endswith("\n"):
        line = text.readline(LONGEST)
