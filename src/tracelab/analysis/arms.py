"""Arms: what runs are called by what differs in their configs, and what is no comparison.

An arm is a treatment with all that differs among the runs that are loaded, but for seeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from yaml import CSafeLoader, YAMLError

from tracelab.core.files import read_json, read_text
from tracelab.core.terminal import counted
from tracelab.runs.folder import Run, is_run
from tracelab.runs.identity import arm_of
from tracelab.runs.knobs import CALLED_BY, IN_COMMON, NOT_COMPARED, NOT_SHOWN, WITHIN_AN_ARM, flat_config
from tracelab.runs.older import in_todays_words, with_recorded


def config_of(folder: Path) -> dict[str, Any]:
    """A run's config. libyaml reads it: a sweep has hundreds, and OmegaConf takes 15 times as long.

    ValueError if it is damaged, or asks for more than plain values.
    """
    path, plain, fault = folder / "config.yaml", None, "it holds no names and values"
    try:
        plain = CSafeLoader(read_text(path)).get_single_data()
    except (YAMLError, UnicodeError) as error:
        fault = " ".join(str(error).split())
    if not isinstance(plain, dict):
        raise ValueError(f"{path} is damaged, or no run's ({fault})")
    return with_recorded(in_todays_words(plain), folder)


def described(folder: Path) -> dict[str, Any]:
    """What makes a run what it is: its config, its source's arm, and the budgets that it had before its last.

    Versions that did not note the arm of the run that a post-training goes on from noted where that lies.
    """
    record, config = read_json(folder / "run.json"), config_of(folder)
    names, source = config["names"], Path(config.get("run") or "")
    if names.get("algorithm") and not names.get("source") and is_run(source):
        config["names"] = {**names, "source": arm_of(Run.open(source), config.get("checkpoint", "last"))}
    return {**config, "extended_from": record.get("extended_from", [])}


def _differing(configs: Iterable[dict[str, Any]]) -> list[str]:
    """Dotted names whose values differ. A knob that an older version did not have is null."""
    flat = [flat_config(config) for config in configs]
    names = dict.fromkeys(name for one in flat for name in one)
    return [name for name in names if len({json.dumps(one.get(name)) for one in flat}) > 1]


def check_same(folders: list[Path], configs: list[dict[str, Any]]) -> None:
    """ValueError unless all runs are of one task and were judged on the same test problems."""
    parts = [
        {name: value for name, value in flat_config(config).items() if name.startswith(IN_COMMON)}
        for config in configs
    ]
    differing = _differing(parts)
    if not differing:
        return
    groups: dict[str, list[str]] = {}
    for folder, flat in zip(folders, parts, strict=True):
        key = ", ".join(f"{name}={flat.get(name, '–')}" for name in differing[:2])
        groups.setdefault(key, []).append(str(folder))
    listed = "; ".join(
        f"{key}: {counted(len(names), 'run')} ({names[0]}, ...)" for key, names in groups.items()
    )
    raise ValueError(
        f"these runs are no comparison: their tasks or test problems differ in {', '.join(differing[:5])}"
        f"{' and more' if len(differing) > 5 else ''}. "
        f"Load one group at a time: {listed}"
    )


def arms_of(configs: list[dict[str, Any]]) -> list[str]:
    """A name for each run: its kind, and what of its config differs among runs of that kind but is not its
    own.
    """
    own = tuple(f"{name}." for name in WITHIN_AN_ARM)
    differing = [
        name
        for name in _differing(configs)
        if not f"{name}.".startswith(own) and name.rpartition(".")[2] not in NOT_SHOWN
    ]
    kinds = [tuple(config["names"].get(name) for name in CALLED_BY) for config in configs]
    arms = []
    for config, kind in zip(configs, kinds, strict=True):
        flat, words = flat_config(config), [config["names"]["trace"]]
        same = [other for other, its in zip(configs, kinds, strict=True) if its == kind]
        for name in differing:
            values = {json.dumps(flat_config(other).get(name)) for other in same}
            if len(values) > 1 and name in flat:
                words.append(f"{name.rpartition('.')[2]}={short(flat[name])}")
        words += _source(config["names"], [other["names"] for other in configs])
        if config["names"].get("algorithm"):
            words.append(f"{config['names']['algorithm']}({config['names'].get('reward', 'solution')})")
        arms.append(" ".join(words))
    return arms


def _source(names: dict[str, Any], others: list[dict[str, Any]]) -> list[str]:
    """Where its first weights are from, as words of an arm's name. All post-trained ones of a kind go on from
    the same arm, mostly: then nothing is said of it.
    """
    kind = [name for name in CALLED_BY if name != "source"]
    same = [its for its in others if all(its.get(name) == names.get(name) for name in kind)]
    told = not names.get("algorithm") or len({its.get("source") for its in same}) > 1
    return [f"from {names['source']}"] if names.get("source") and told else []


def short(value: Any) -> str:
    """A knob's value as a word of an arm's name."""
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def configs_that_differ(found: pl.DataFrame) -> pl.DataFrame:
    """Knobs in which the configs of `runs` differ: a row per run, with run, arm and each knob as text."""
    configs = [described(Path(folder)) for folder in found["run"]]
    shown = [{k: v for k, v in config.items() if k not in NOT_COMPARED} for config in configs]
    names = _differing(shown)
    flat = [flat_config(config) for config in shown]
    knobs = [pl.Series(name, [short(one.get(name, "–")) for one in flat], pl.String) for name in names]
    return found.select("run", "arm").with_columns(knobs)
