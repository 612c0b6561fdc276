"""Versions of source code, by which what was made of it is named: what other code made is not taken for it.

sources_hash()                      # of all of tracelab's that can be in a kernel or decide on a problem
versions(["my_package.tasks"])      # of packages that are not tracelab's
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tracelab.core.paths import PACKAGE, TASKS


@cache
def sources_hash() -> str:
    """Names the version of all code that draws, solves, records, treats or judges problems."""
    folders = (PACKAGE / "core", PACKAGE / "search", PACKAGE / "traces", TASKS)
    return hash_of((folder, path) for folder in folders for path in sorted(folder.rglob("*.py")))


def hash_of(files: Iterable[tuple[Path, Path]]) -> str:
    """16 hexadecimal digits that stand for what files hold and where. files: (folder it lies in, path)."""
    digest = hashlib.sha256()
    for folder, path in files:
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def versions(modules: Iterable[str]) -> dict[str, str] | None:
    """The version of each top-level package that these modules are of, but for Python's and tracelab's own.

    None if the sources of one are no files (a notebook's), so that nothing made of them can be named.
    """
    packages = {module.partition(".")[0] for module in modules if module}
    packages -= {"tracelab", *sys.stdlib_module_names}
    found = {package: version for package in sorted(packages) if (version := _version(package)) is not None}
    return found if len(found) == len(packages) else None


@cache
def _version(package: str) -> str | None:
    """The version of an imported package: of all its modules, or of the one file that it is."""
    module = sys.modules.get(package)
    folders = [Path(place) for place in getattr(module, "__path__", ())]
    files = [(folder, path) for folder in folders for path in sorted(folder.rglob("*.py"))]
    file = Path(getattr(module, "__file__", None) or "")
    return hash_of(files or [(file.parent, file)]) if files or file.is_file() else None
