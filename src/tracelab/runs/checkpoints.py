"""What a checkpoint holds: weights, progress, number format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tracelab.models.precision import REDUCED, name_of

BEFORE_RECORDED = name_of(REDUCED)


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The model's state dict in a checkpoint of a learner."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix("model."): weight for name, weight in state.items()}


def load_progress(path: str | Path) -> dict[str, Any]:
    """How far the training was (`budget.Progress`) when a checkpoint was written."""
    progress: dict[str, Any] = _read(path)["progress"]
    return progress


def load_precision(path: str | Path) -> str:
    """The precision that a checkpoint's run computes in; before runs recorded it, all had one."""
    precision: str = _read(path).get("precision", BEFORE_RECORDED)
    return precision


def is_sharded(path: str | Path) -> bool:
    """Was a checkpoint written by processes that hold shards (FSDP)?"""
    return bool(_read(path).get("sharded", False))


def _read(path: str | Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content
