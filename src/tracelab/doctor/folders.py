"""What can be written, and how much: the cache, and the folder of runs."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from tracelab.core.paths import cache_home
from tracelab.doctor.finding import BAD, GOOD, NOTE, Finding

LEAST_DISK, SOME_DISK = 0.5, 5.0  # GiB


def folder(about: str, path: Path, mend: str) -> Finding:
    """Can a folder be written, and how much room has its disk?"""
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        return Finding(about, f"{path} cannot be written: {error.strerror}", BAD, mend)
    finally:
        for made in takewhile(lambda each: each != there, (path, *path.parents)):  # nothing is left behind
            with suppress(OSError):
                made.rmdir()
    free = shutil.disk_usage(there if there.is_dir() else there.parent).free / 2**30
    text = f"{path}: can be written, {free:.1f} GiB free"
    if free < LEAST_DISK:
        return Finding(about, text, BAD, f"make room: a run needs {LEAST_DISK} GiB, its problems included")
    return Finding(about, text, NOTE if free < SOME_DISK else GOOD)


def cache() -> Finding:
    """The folder of compiled kernels and frozen problems, without which all takes longer."""
    mend = "TRACELAB_CACHE=<folder> moves it; without it kernels are compiled at each start"
    try:
        found = folder("cache", cache_home(), mend)
    except FileNotFoundError as error:
        return Finding("cache", str(error), NOTE, mend)
    return replace(found, state=NOTE) if found.state == BAD else found


def runs() -> Finding:
    """The folder that runs go to by default."""
    return folder("runs", Path("runs").resolve(), "go to another folder, or give run_dir=<folder>")
