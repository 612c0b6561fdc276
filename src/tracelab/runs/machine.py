"""Where a run was made: hardware, versions and the commit, for run.json and benchmark results."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from tracelab.core.files import UTF8, read_text
from tracelab.core.paths import ROOT

LIBRARIES = ("tracelab", "torch", "lightning", "hydra-core", "numpy", "numba", "pyarrow")


def machine() -> dict[str, Any]:
    """Hardware and versions, for run.json and benchmark results."""
    import torch

    return {
        "cpu": cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": joblib.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "git": commit_of(ROOT),
    }


def cpu_name() -> str:
    """The processor, as it names itself."""
    info = Path("/proc/cpuinfo")
    names = [line for line in read_text(info).splitlines() if "model name" in line] if info.is_file() else []
    return names[0].split(":")[1].strip() if names else platform.processor()


def commit_of(clone: Path) -> str | None:
    """The commit that a clone is at, with + if it was changed since. None if the folder is no clone itself:
    an installed package may lie in somebody else's.
    """

    def git(*words: str) -> str:
        command = ["git", "-C", str(clone), *words]
        done = subprocess.run(command, capture_output=True, encoding=UTF8, check=True)
        return str(done.stdout).strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != clone.resolve():
            return None
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
