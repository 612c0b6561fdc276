"""Where `conf/` and `tasks/` lie (beside `src/` in a clone, inside the package in a wheel), and the cache."""

import os
import re
import warnings
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CLONE = PACKAGE.parents[1]
ROOT = CLONE if (CLONE / "pyproject.toml").is_file() and (CLONE / "conf").is_dir() else PACKAGE
CONF, TASKS = ROOT / "conf", PACKAGE / "tasks"


def cache_home() -> Path:
    """Folder for frozen problem sets and compiled kernels (`TRACELAB_CACHE` moves it).

    OSError if there is none, for the user has no home.
    """
    if ours := os.environ.get("TRACELAB_CACHE"):
        return Path(ours)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "tracelab"
    try:
        return Path.home() / ".cache" / "tracelab"
    except RuntimeError as error:
        raise FileNotFoundError("this user has no home folder") from error


_told = set[str]()  # reasons why the cache keeps nothing


def not_kept(error: OSError) -> None:
    """Warn that the cache keeps nothing: all goes on without it, only slower.

    It is said once for each reason, however many files could not be written.
    """
    number = error.errno or re.search(r"\[errno (\d+)\]", str(error))  # Arrow has it in its words
    reason = os.strerror(number if isinstance(number, int) else int(number[1])) if number else str(error)
    if reason in _told:
        return
    _told.add(reason)
    warnings.warn(
        f"the cache keeps nothing ({reason}): kernels and problems are made anew at each "
        "start. Set TRACELAB_CACHE to a folder that can be written to and has room",
        stacklevel=2,
    )
