"""Older spellings of a task's knobs: in configs of older runs, and on the command line.

    python -m tracelab.train task.largest=9       # task.reach.side=9 today

What they were is said by the task's class (`core.older.reads_older`), which reads them wherever it is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tracelab.core.files import read_json, read_text
from tracelab.core.older import todays
from tracelab.core.paths import CONF
from tracelab.runs.trust import is_known

DIGITS = 16  # hexadecimal ones, of a checksum in a config


def admitted(words: Sequence[str]) -> list[str]:
    """A command line as Hydra takes it: `++task.largest=9`, for it refuses what the YAML of no task has.

    So with parts of `task.reach`, which is null there. If it is a knob, and which, the task's class says.
    """
    return [f"++{word}" if _is_foreign(word) else word for word in words]


def as_typed(overrides: str) -> str:
    """Overrides, sorted and joined by commas, as they would be without `admitted`."""
    parts = parts_of(overrides)
    typed = [bare if _is_foreign(bare := part.removeprefix("++")) else part for part in parts]
    return overrides if typed == parts else ",".join(sorted(typed))


def parts_of(overrides: str) -> list[str]:
    """The overrides that are joined by commas; values have commas, too."""
    return re.split(r",(?=[+~]*[\w.@/]+=)", overrides)


def in_todays_words(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config, its task's knobs in today's spelling; unchanged if there is no such class any more."""
    task = config.get("task") or {}
    if {*task} <= {"_target_", *_known()}:  # then its class is not asked, which would import it
        return dict(config)
    return {**config, "task": _task_today(task)}


def with_recorded(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A run's config with the checksums of its files, which earlier versions had on the data card alone."""
    data = config.get("data") or {}
    if not data.get("files") or data.get("checksums"):
        return config
    card = read_json(folder / "data_card.json") or {}
    found = [file["sha256"][:DIGITS] for file in card.get("read", {}).get("files", [])]
    return {**config, "data": {**data, "checksums": found or None}}


def _task_today(task: Mapping[str, Any]) -> dict[str, Any]:
    module, _, name = task.get("_target_", "").rpartition(".")
    module = module if is_known("task", f"{module}.{name}") else ""
    try:
        kind = getattr(import_module(module), name) if module else None
    except (ImportError, AttributeError):
        kind = None
    return todays(getattr(kind, "older", {}), task)


def _is_foreign(word: str) -> bool:
    """Does it set a knob of the task that no task's YAML has, or a part of `task.reach`?"""
    found = re.match(r"task\.(\w+)[.=]", word)
    return found is not None and (found[1] not in _known() or found[0] == "task.reach.")


@cache
def _known() -> frozenset[str]:
    """The knobs that some task's YAML has."""
    texts = [read_text(path) for path in CONF.glob("task/*.yaml")]
    return frozenset(knob for text in texts for knob in re.findall(r"^(\w+):", text, re.MULTILINE))
