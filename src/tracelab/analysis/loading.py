"""Run folders as tables: one row per run, and lazily one row per completion.

Polars, because it reads Parquet lazily, column by column and in streams: ten million outcomes are grouped in
seconds without being held in memory. The same files can be queried with DuckDB.

What does not belong into one comparison is refused, or named and left out; nothing is pooled silently.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from tracelab.runs.knobs import CALLED_BY, IN_COMMON, NOT_COMPARED, NOT_SHOWN, WITHIN_AN_ARM, options
from tracelab.runs.older import task_today

NEEDED = (
    "split",
    "problem_key",
    "index",
    "sample",
    "solution_valid",
    "solution_optimal",
    "trace_strict",
    "trace_steps",
    "reference_steps",
    "completion_tokens",
    "truncated",
    "mean_logprob",
)


def runs(*folders: str | Path) -> pl.DataFrame:
    """One row per finished run at or below the folders: run (its folder), arm, treatment, seed, ...

    arm: the treatment with all that differs among these runs but seeds. What is unfinished or of an older
    version is named in a warning and left out. ValueError if nothing is left, or if tasks or test problems
    differ.
    """
    found = sorted({path.parent for folder in folders for path in Path(folder).rglob("run.json")})
    if not found:
        raise ValueError(f"no run lies at or below {', '.join(map(str, folders))}: each has a run.json")
    finished = [folder for folder in found if _is_finished(folder)]
    if not finished:
        raise ValueError(f"none of {len(found)} runs is finished: resume them, or wait")
    configs = [_config(folder) for folder in finished]
    _check_same(finished, configs)
    arms = _arms(configs)
    rows = [_row(*parts) for parts in zip(finished, configs, arms, strict=True)]
    return pl.DataFrame(rows).sort("arm", "seed")


def load(*folders: str | Path) -> pl.LazyFrame:
    """The outcomes of all finished runs at or below the folders, as `runs` chooses them.

    A row per completion, with the columns of `evaluation.outcomes` and run, arm, treatment, seed and
    algorithm of its run. Completions and problems (lists of tokens) are read only if they are asked for.
    """
    parts = []
    for row in runs(*folders).iter_rows(named=True):
        labels = {name: row[name] for name in ("run", "arm", "treatment", "seed", "algorithm")}
        scanned = pl.scan_parquet(Path(row["run"]) / "outcomes.parquet")
        texts = [
            name
            for name, kind in scanned.collect_schema().items()
            if isinstance(kind, pl.Categorical | pl.Enum)
        ]
        parts.append(
            scanned.with_columns(pl.col(texts).cast(pl.String)).with_columns(
                pl.lit(value, dtype=pl.Int64 if name == "seed" else pl.String).alias(name)
                for name, value in labels.items()
            )
        )
    return pl.concat(parts, how="diagonal_relaxed")


def load_beside(name: str, command: str, *folders: str | Path) -> pl.LazyFrame:
    """One more table of all finished runs at or below the folders that have it, labelled as by `load`.

    name: its file in a run's folder; command: what writes it. ValueError if no run has it.
    """
    parts = []
    for row in runs(*folders).iter_rows(named=True):
        path = Path(row["run"]) / name
        if path.is_file():
            labels = {column: row[column] for column in ("run", "arm", "seed")}
            parts.append(pl.scan_parquet(path).with_columns(pl.lit(v).alias(k) for k, v in labels.items()))
    if not parts:
        raise ValueError(f"no run there has {name}: run python -m tracelab.{command} run=... first")
    return pl.concat(parts, how="diagonal_relaxed")


def levels_of(table: pl.LazyFrame) -> list[str]:
    """The levels of trace validity that a table has, from weak to strong."""
    names = table.collect_schema().names()
    return [
        name.removeprefix("trace_").removesuffix("_reason")
        for name in names
        if name.startswith("trace_") and name.endswith("_reason")
    ]


def splits_of(table: pl.LazyFrame) -> list[str]:
    """The test sets of a table, in the order in which they were judged."""
    return table.select(pl.col("split").unique(maintain_order=True)).collect()["split"].to_list()


def configs_that_differ(found: pl.DataFrame) -> pl.DataFrame:
    """Knobs in which the configs of `runs` differ: a row per run, with run, arm and each knob as text."""
    configs = [_config(Path(folder)) for folder in found["run"]]
    shown = [{k: v for k, v in config.items() if k not in NOT_COMPARED} for config in configs]
    names = _differing(shown)
    flat = [_flat(config) for config in shown]
    knobs = [pl.Series(name, [_short(one.get(name, "–")) for one in flat], pl.String) for name in names]
    return found.select("run", "arm").with_columns(knobs)


def _is_finished(folder: Path) -> bool:
    """Evaluated, with all columns? If not, a warning says what is missing."""
    status = json.loads((folder / "run.json").read_text()).get("status")
    outcomes = folder / "outcomes.parquet"
    if status != "evaluated" or not outcomes.is_file():
        warnings.warn(f"{folder} is left out: it is not evaluated yet (status: {status})", stacklevel=3)
        return False
    missing = [name for name in NEEDED if name not in pl.scan_parquet(outcomes).collect_schema().names()]
    if missing:
        warnings.warn(
            f"{folder} is left out: its outcomes, of an older version, lack {', '.join(missing)}; run "
            f"`python -m tracelab.evaluate run={folder}` again",
            stacklevel=3,
        )
    return not missing


def _config(folder: Path) -> dict[str, Any]:
    """A run's config. libyaml reads it: a sweep has hundreds, and OmegaConf takes 15 times as long."""
    plain = yaml.load((folder / "config.yaml").read_text(), Loader=yaml.CSafeLoader)
    assert isinstance(plain, dict)
    return {**plain, **({"task": task_today(plain["task"])} if "task" in plain else {})}


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted names of a config's leaves; lists are leaves."""
    if not isinstance(config, dict):
        return {prefix[:-1]: config}
    return {k: v for key, value in config.items() for k, v in _flat(value, f"{prefix}{key}.").items()}


def _differing(configs: Iterable[dict[str, Any]]) -> list[str]:
    """Dotted names whose values differ. A knob that an older version did not have is null."""
    flat = [_flat(config) for config in configs]
    names = dict.fromkeys(name for one in flat for name in one)
    return [name for name in names if len({json.dumps(one.get(name)) for one in flat}) > 1]


def _check_same(folders: list[Path], configs: list[dict[str, Any]]) -> None:
    """All of one task, judged on the same test problems."""
    parts = [
        {name: value for name, value in _flat(config).items() if name.startswith(IN_COMMON)}
        for config in configs
    ]
    differing = _differing(parts)
    if not differing:
        return
    groups: dict[str, list[str]] = {}
    for folder, flat in zip(folders, parts, strict=True):
        key = ", ".join(f"{name}={flat.get(name, '–')}" for name in differing[:2])
        groups.setdefault(key, []).append(str(folder))
    listed = "; ".join(f"{key}: {len(names)} runs ({names[0]}, ...)" for key, names in groups.items())
    raise ValueError(
        f"these runs are no comparison: their tasks or test problems differ in {', '.join(differing[:5])}"
        f"{' and more' if len(differing) > 5 else ''}. "
        f"Load one group at a time: {listed}"
    )


def _arms(configs: list[dict[str, Any]]) -> list[str]:
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
        flat, words = _flat(config), [config["names"]["trace"]]
        same = [other for other, its in zip(configs, kinds, strict=True) if its == kind]
        for name in differing:
            values = {json.dumps(_flat(other).get(name)) for other in same}
            if len(values) > 1 and name in flat:
                words.append(f"{name.rpartition('.')[2]}={_short(flat[name])}")
        if "algorithm" in config["names"]:
            words.append(f"{config['names']['algorithm']}({config['names'].get('reward', 'solution')})")
        arms.append(" ".join(words))
    return arms


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _dose(folder: Path) -> dict[str, Any]:
    """dose: the share of steps that were to be damaged, 0 of valid traces; dose_knob: what it is called."""
    path = folder / "data_card.json"
    card: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    asked = card.get("splits", {}).get("train", {}).get("damage", {}).get("asked")
    knob = card.get("dose", "rate" if asked is not None else None)  # older cards do not say which
    return {"dose": 0.0 if card.get("promise") == "valid" else asked, "dose_knob": knob}


def _row(folder: Path, config: dict[str, Any], arm: str) -> dict[str, Any]:
    record, names = json.loads((folder / "run.json").read_text()), config["names"]
    knobs = options(config["trace"])
    progress = record.get("progress", {})
    return {
        "run": str(folder),
        "arm": arm,
        "task": names["task"],
        "treatment": names["trace"],
        **_dose(folder),
        "kind": _short(knobs["kind"]) if "kind" in knobs else None,
        "algorithm": names.get("algorithm"),
        "reward": names.get("reward"),
        "model": names["model"],
        "parameters": record.get("parameters"),
        "seed": config["seed"],
        "tokens": progress.get("tokens"),
        "steps": progress.get("steps"),
        "minutes": progress.get("minutes"),
        "max_new": record.get("max_new"),
        "status": record.get("status"),
    }
