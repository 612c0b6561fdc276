"""What a run's config may name by `_target_`: Hydra calls it, so a stranger's folder could run anything.

Components of the axes are known by where they lie. Those of another package are trusted where the
environment says so: TRACELAB_TRUST=my_package,other.module
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

TRUST = "TRACELAB_TRUST"
AXES = ("tasks", "traces", "models", "optim", "algorithms", "rewards", "metrics", "loggers", "sweeps")
KNOWN = (
    *(f"tracelab.{axis}" for axis in AXES),
    "torch.optim",
    "lightning.Trainer",
    "lightning.pytorch.Trainer",
    "lightning.pytorch.strategies",
    "lightning.pytorch.plugins",
    "lightning.pytorch.loggers",
)


def check_targets(config: Any, whose: str) -> None:
    """ValueError if a config names something that is no known component. whose: the file it comes from."""
    for target in targets(config):
        if not is_known(target):
            raise ValueError(
                f"{whose} names {target!r}, which is no component of tracelab and would be called: if you "
                f"trust it, set {TRUST}={target.partition('.')[0]}"
            )


def is_known(target: str) -> bool:
    """Is what a `_target_` names a component, or of a package that is trusted?"""
    trusted = [name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip()]
    return f"{target}.".startswith(tuple(f"{name}." for name in (*KNOWN, *trusted)))


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
