"""Comparisons of arms: what is none, and in what runs differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tracelab.core.terminal import counted
from tracelab.runs.arms import described, differing, short
from tracelab.runs.knobs import IN_COMMON, NOT_COMPARED, flat_config


def check_same(folders: list[Path], configs: list[dict[str, Any]]) -> None:
    """ValueError unless all runs are of one task and were judged on the same test problems."""
    parts = [
        {name: value for name, value in flat_config(config).items() if name.startswith(IN_COMMON)}
        for config in configs
    ]
    knobs = differing(parts)
    if not knobs:
        return
    groups: dict[str, list[str]] = {}
    for folder, flat in zip(folders, parts, strict=True):
        key = ", ".join(f"{name}={flat.get(name, '–')}" for name in knobs[:2])
        groups.setdefault(key, []).append(str(folder))
    listed = "; ".join(
        f"{key}: {counted(len(names), 'run')} ({names[0]}{', ...' * (len(names) > 1)})"
        for key, names in groups.items()
    )
    raise ValueError(
        f"these runs are no comparison: their tasks or test problems differ in {', '.join(knobs[:5])}"
        f"{' and more' if len(knobs) > 5 else ''}. "
        f"Load one group at a time: {listed}"
    )


def configs_that_differ(found: pl.DataFrame) -> pl.DataFrame:
    """Knobs in which the configs of `runs` differ: a row per run, with run, arm and each knob as text."""
    configs = [described(Path(folder)) for folder in found["run"]]
    shown = [{k: v for k, v in config.items() if k not in NOT_COMPARED} for config in configs]
    names = differing(shown)
    flat = [flat_config(config) for config in shown]
    knobs = [pl.Series(name, [short(one.get(name, "–")) for one in flat], pl.String) for name in names]
    return found.select("run", "arm").with_columns(knobs)
