"""Which knobs of a config make a run what it is, and which make its arm: the one place that says so.

Names are dotted; a name stands for all below it, `trainer` for `trainer.devices` too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Where things go, what is said, and who draws problems: not a bit of what is trained or judged is another.
SAME_BITS = (
    "run_dir",
    "ckpt_path",
    "logger",
    "checkpoint_every",
    "validate_problems",
    "data.workers",
    "data.backend",
    "data.address",
    "trainer.log_every_n_steps",
    "trainer.val_check_interval",  # validate_every takes its place
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.default_root_dir",
)
# On what, and by how many, it is computed: sums are added up in another order, that is all.
SAME_BUT_FOR_ROUNDING = (
    "threads",
    "compile",
    "attention",
    "trainer.deterministic",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.plugins",
)
# What may differ between a finished run and one that is asked for again.
# tests/runs/test_identity.py tries each.
WITHOUT_EFFECT = (*SAME_BITS, *SAME_BUT_FOR_ROUNDING)
# What names no run of a sweep: asked for with another value, the run is found, and at most judged again.
UNNAMED = (*WITHOUT_EFFECT, "eval", "metric")
# What may differ between a run and its resumption: how it is judged, and how long it trains, too.
FREE_TO_CHANGE = (*UNNAMED, "budget")
# What may differ between the runs of one arm. All else makes another arm.
WITHIN_AN_ARM = (*WITHOUT_EFFECT, "seed", "metric", "run", "init_from", "hydra", "names")
# What all runs of a comparison have in common: the task, the test problems, how completions are sampled.
IN_COMMON = ("task", "eval.problems", "eval.seed", "eval.temperature", "eval.samples", "eval.max_new")
# What is not worth showing where configs are compared: it differs between any two runs.
NOT_COMPARED = ("run_dir", "ckpt_path", "logger", "run", "init_from", "hydra", "names")
# What names a class, in a config's parts.
NOT_SHOWN = ("_target_", "_partial_")
# With a teacher, which asks them, the number of held-out problems decides what is trained on.
BY_TEACHER = "validate_problems"
# Names of a run's choices by which its arm is called.
CALLED_BY = ("trace", "source", "algorithm", "reward")


def within(name: str, names: tuple[str, ...]) -> bool:
    """Is a knob one of these, or below one?"""
    return any(name == each or name.startswith(f"{each}.") for each in names)


def effectless(config: Mapping[str, Any], names: tuple[str, ...] = WITHOUT_EFFECT) -> tuple[str, ...]:
    """Those of the names that are without effect in a run of this config."""
    taught = (config.get("data") or {}).get("teacher") is not None
    return tuple(name for name in names if not (taught and name == BY_TEACHER))


def options(part: dict[str, object]) -> dict[str, object]:
    """The knobs of a config's part, a treatment's say, without what names its class."""
    return {name: value for name, value in part.items() if name not in NOT_SHOWN}


def differences(before: dict[str, Any], asked: dict[str, Any], free: tuple[str, ...]) -> list[str]:
    """Dotted names of what differs, what is free to differ left out. Any precision is right for `auto`.

    Where files are those of before by name alone, it is they that are named.
    """
    a, b = flat_config(before), flat_config(asked)
    if b.get("trainer.precision") == "auto":
        b["trainer.precision"] = a.get("trainer.precision")
    names = without({name: None for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)}, free)
    if "data.checksums" not in names:
        return [*names]
    pairs = zip(b["data.files"] or (), a.get("data.checksums") or (), b["data.checksums"] or (), strict=False)
    changed = [f"the content of data.files={path}" for path, was, now in pairs if was != now]
    return [name for name in names if name != "data.checksums"] + changed


def without(flat: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A flat config without these names and all below them."""
    return {name: value for name, value in flat.items() if not within(name, names)}


def text_of(value: Any) -> str:
    """A knob's value as text by which values are compared: 1 and 1.0 are one value, and so one text."""
    return json.dumps(_whole(value))


def _whole(value: Any) -> Any:
    """The value, with whole numbers for fractions that are whole."""
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def flat_config(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted names of a config's leaves; lists are leaves."""
    if not isinstance(config, dict):
        return {prefix[:-1]: config}
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flat_config(value, f"{prefix}{key}.")
    return flat
