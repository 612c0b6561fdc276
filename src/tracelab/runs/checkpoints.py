"""What a checkpoint holds: weights, progress, number format. Learners write more into theirs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from tracelab.core.files import read_json, whole
from tracelab.models.precision import FULL, REDUCED, name_of

BEFORE_RECORDED = name_of(REDUCED)
NOTHING = {"steps": 0, "tokens": 0, "completion_tokens": 0, "examples": 0, "minutes": 0.0}  # of progress


def save_weights(path: Path, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write a checkpoint of a model's state dict, for everything but going on with the same training.

    record: what run.json says of its progress and precision.
    """
    precision = record.get("precision", {}).get("name", name_of(FULL))
    content = {"progress": dict(record["progress"]), "precision": precision}
    content["state_dict"] = {f"model.{name}": weight for name, weight in state.items()}
    save(path, content)


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole and on the disk.

    It is opened here: what torch opens itself fails without a word of the reason.
    """
    with whole(path, flushed=True) as partial, partial.open("wb") as file:
        torch.save(content, file)


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The model's state dict in a checkpoint of a learner, which may have more."""
    state = _read(path, mmap=False)["state_dict"]
    mine = "model."
    return {name.removeprefix(mine): weight for name, weight in state.items() if name.startswith(mine)}


def load_progress(path: str | Path) -> dict[str, Any]:
    """How far the training was (`budget.Progress`) when a checkpoint was written."""
    progress: dict[str, Any] = _read(path)["progress"]
    return progress


def load_seconds(path: str | Path) -> float:
    """How long the sessions took that led to a checkpoint, from the start of a command on."""
    return seconds_of(_read(path))


def best_of(path: str | Path, state_key: str) -> float:
    """The least value until then that a checkpoint has in the state of the callback with this key."""
    state: dict[str, float] = _read(path).get("callbacks", {}).get(state_key, {})
    return state.get("best", float("inf"))


def seconds_of(checkpoint: dict[str, Any]) -> float:
    """The same of a checkpoint's content; before it was recorded, the steps alone are known."""
    steps: float = 60 * checkpoint["progress"]["minutes"]
    seconds: float = checkpoint.get("seconds", steps)
    return seconds


def load_updates(path: str | Path) -> int:
    """How many updates a post-training had made when a checkpoint was written."""
    return updates_of(_read(path))


def updates_of(checkpoint: dict[str, Any]) -> int:
    """The same of a checkpoint's content; before they were counted, the groups that were learned from."""
    updates: int = checkpoint.get("updates", checkpoint["progress"]["examples"])
    return updates


def load_precision(path: str | Path) -> str:
    """The precision that a checkpoint's run computes in; before runs recorded it, all had one.

    Of a post-training run.json alone had it once.
    """
    saved = _read(path)
    if "precision" in saved or "sampler" not in saved:
        return str(saved.get("precision", BEFORE_RECORDED))
    record = read_json(Path(path).parents[1] / "run.json") or {}
    return str(record.get("precision", {}).get("name", BEFORE_RECORDED))


def load_attention(path: str | Path) -> str | None:
    """The kernel by which a checkpoint's run attends to packed rows; None before runs recorded it."""
    attention: str | None = _read(path).get("attention")
    return attention


def is_sharded(path: str | Path) -> bool:
    """Was a checkpoint written by processes that hold shards (FSDP)?"""
    return bool(_read(path).get("sharded", False))


def sound(last: Path, best: Path) -> Path | None:
    """The checkpoint to go on from: the last, or the best, with a warning, where that is damaged.

    None if there is no last one. ValueError if both are damaged.
    """
    if not last.is_file():
        return None
    try:
        _read(last)
        return last
    except ValueError as error:
        if not best.is_file():
            raise
        _read(best)
        warnings.warn(f"{error}. {best} is taken, which is older", stacklevel=2)
        return best


def _read(path: str | Path, mmap: bool = True) -> dict[str, Any]:
    """A checkpoint's content. ValueError if it is damaged."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (RuntimeError, EOFError, UnpicklingError) as error:  # of half a file, and of an empty one
        raise ValueError(
            f"{path} is damaged, or no checkpoint ({str(error).partition(chr(10))[0]}): take another one "
            "(eval.checkpoint=best), or delete it and train again"
        ) from error
    return content
