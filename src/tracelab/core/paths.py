"""Where `conf/` and `tasks/` lie: beside `src/` in a clone, inside the package in a wheel."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CLONE = PACKAGE.parents[1]
ROOT = CLONE if (CLONE / "pyproject.toml").is_file() and (CLONE / "conf").is_dir() else PACKAGE
CONF, TASKS = ROOT / "conf", PACKAGE / "tasks"


def cache_home() -> Path:
    """Folder for frozen problem sets and compiled kernels (`TRACELAB_CACHE` moves it)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TRACELAB_CACHE") or Path(base) / "tracelab")
