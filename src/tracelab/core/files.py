"""Files that are whole or not there, whatever happens while they are written, and locks on them.

Text is UTF-8 everywhere, whatever the terminal speaks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from tracelab.core.full_disk import FullDiskError, disk_full

UTF8 = "utf-8"


@contextmanager
def whole(path: Path, named: Callable[[Path], Path] | None = None, flushed: bool = False) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place at the end of the block.

    If the block fails, nothing is left of it, and what stood at `path` still does. Its name is unique among
    processes and machines: of several that write at once, the last one's file stays. named: what gives the
    path from what was written, where the content decides it. flushed: is it on the disk before it takes its
    place? Then not even a power failure spoils it.
    """
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if flushed:
            _flush(partial)
        os.replace(partial, path if named is None else named(partial))
        if flushed:
            _flush(path.parent)
    except Exception as error:
        _say_if_full(error, path)
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write files to, which all take their places there at the end of the block.

    If the block fails, nothing is left of them, and what stood in `folder` still does. Where nothing stood
    there, all are there at once, whatever ends the process.
    """
    partial = folder.with_name(f".{folder.name}.{os.urandom(6).hex()}.partial")
    try:
        partial.mkdir(parents=True)
        yield partial
        with suppress(OSError):
            os.rename(partial, folder)  # it fails where a folder stands that is not empty
            return
        made = sorted(partial.rglob("*"))
        for below in (folder, *(folder / path.relative_to(partial) for path in made if path.is_dir())):
            below.mkdir(parents=True, exist_ok=True)
        for path in made:
            if not path.is_dir():
                os.replace(path, folder / path.relative_to(partial))
    except Exception as error:
        _say_if_full(error, folder)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _say_if_full(error: Exception, path: Path) -> None:
    """FullDiskError, with the path, if that is what an error came of."""
    if not isinstance(error, FullDiskError) and (full := disk_full(error, path)) is not None:
        raise full from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, encoding=UTF8)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_text(path: Path) -> str:
    """The content of a text file."""
    return path.read_text(encoding=UTF8)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if there is none. ValueError names a file that is damaged."""
    if not path.is_file():
        return None
    try:
        return json.loads(read_text(path))
    except ValueError as error:  # of the encoding, too
        raise ValueError(
            f"{path} is damaged ({error}): delete it, and give the command that wrote it once more"
        ) from error


def whole_lines(path: Path) -> list[str]:
    """The lines of a text file. A torn last one, of a writer that was killed, is left out and said so."""
    with path.open(encoding=UTF8, errors="replace", newline="") as file:
        lines = list(file)
    found = list(takewhile(lambda line: line.endswith("\n") and "\0" not in line, lines))
    if len(found) < len(lines):
        warnings.warn(f"{path} ends with a torn line: it is read up to line {len(found)}", stacklevel=2)
    return found


def lock(file: Any, take: Callable[[Any, int], None], wait: bool = True) -> bool:
    """Lock an open file -> is it ours? False if another process has it. take: fcntl.flock or fcntl.lockf.

    Some network file systems know no locks: there it is ours, with a warning.
    """
    try:
        take(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        warnings.warn(
            f"{file.name} cannot be locked ({error}): let no two processes write there at once", stacklevel=2
        )
    return True
