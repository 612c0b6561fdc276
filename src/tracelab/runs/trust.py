"""What a run's config may name by `_target_`: Hydra calls it, so a stranger's folder could run anything.

Each part of a config may name components of its own axis, by the module that defines them: not what such a
module imports, such as `tracelab.metrics.joint.np.load`. Those of another package are trusted where the
environment says so: TRACELAB_TRUST=my_package,other.module
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from tracelab.core.files import read_text
from tracelab.core.paths import PACKAGE

TRUST = "TRACELAB_TRUST"
OURS = {  # part of a config -> where its components lie
    "task": "tracelab.tasks",
    "trace": "tracelab.traces",
    "model": "tracelab.models",
    "optim": "tracelab.optim",
    "algorithm": "tracelab.algorithms",
    "reward": "tracelab.rewards",
    "metric": "tracelab.metrics",
    "logger": "tracelab.loggers",
}
THEIRS = {  # and those of other packages: classes by the path that their documentation gives
    "optim": r"torch\.optim\.(lr_scheduler\.)?[A-Z]\w*",
    "logger": r"lightning\.pytorch\.loggers\.[A-Z]\w*",
    "trainer": r"lightning\.(pytorch\.)?(Trainer|(strategies|plugins(\.[a-z_]+)?)\.[A-Z]\w*)",
}
PACKAGES = ("tracelab", "torch", "lightning")  # of which nobody trusts all


def check_targets(config: dict[str, Any], whose: str) -> None:
    """ValueError if a part of a config names what is no component of it. whose: the file it comes from."""
    for part, content in config.items():
        for target in targets(content):
            if not is_known(part, target):
                package = target.partition(".")[0]
                raise ValueError(
                    f"{whose} names {target!r}, which is no component of tracelab and would be called: "
                    f"if you trust it, set {TRUST}={target if package in PACKAGES else package}"
                )


def is_known(part: str, target: str) -> bool:
    """Is what a `_target_` in a part of a config names a component of it, or of a package that is trusted?"""
    trusted = [name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip()]
    if f"{target}.".startswith(tuple(f"{name}." for name in trusted)):
        return True
    if part in OURS and f"{target}.".startswith(f"{OURS[part]}."):
        return _is_defined(OURS[part], *target.rpartition(".")[::2])
    return part in THEIRS and re.fullmatch(THEIRS[part], target) is not None


@cache
def _is_defined(within: str, module: str, name: str) -> bool:
    """Does a module's text define a class or function of this name, or take it from one `within` that does?

    Nothing is imported: that would load torch to read a table.
    """
    path = PACKAGE.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(read_text(file)).body if file.is_file() else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{within}."):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _is_defined(within, str(node.module), alias.name)
    return False


def targets(config: Any) -> Iterator[str]:
    """All values of `_target_` in a config, however deep."""
    if isinstance(config, dict):
        if "_target_" in config:
            yield str(config["_target_"])
        for value in config.values():
            yield from targets(value)
    elif isinstance(config, list):
        for value in config:
            yield from targets(value)
