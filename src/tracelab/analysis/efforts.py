"""What it took each run to get good enough, and how good it got, beside how hard it was or how much it had.

    efforts.until("runs/law/rl_compute", against="task.depth", of="steps")   # for `laws.fits`
    efforts.shares("runs/law/size", against="parameters")                    # for `laws_figures.shares`

`against` names what stands below: a knob of the runs' configs, or `parameters`. Of a knob with two ends
([fewest, most]) it is the upper one. A law is what runs have in common but for it and the seed: an arm, or
the values of the knobs in `by`: what else runs of one law differ in then, a warning names.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis.arms import check_same
from tracelab.analysis.confidence import calibrations
from tracelab.analysis.estimates import rates
from tracelab.analysis.learning import validations
from tracelab.analysis.loading import finished, load
from tracelab.analysis.stability import stability
from tracelab.core.files import read_json
from tracelab.runs.arms import arms_of, differing, short
from tracelab.runs.knobs import CALLED_BY, NOT_SHOWN, WITHIN_AN_ARM, effectless, flat_config, within

PARAMETERS = "parameters"
STEP = "step"
EFFORTS = {"steps": STEP, "tokens": "train/tokens", "flops": "train/flops", "minutes": "train/minutes"}
GOOD = {"solution_valid": 0.9}
# What goes along with a knob in a sweep over it, and makes no other law.
FOLLOW = {
    "model.width": ("model.heads", "model.mlp"),
    "data.train_size": ("budget.examples",),
}
SIZES = ("layers", "width", "heads", "kv_heads", "head_dim", "mlp", "inner")  # of a model: `parameters`
BEGUN = "all"  # the law of a run that others begin with


def until(
    *folders: str | Path,
    against: str,
    of: str = "steps",
    least: Mapping[str, float] = GOOD,
    by: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The effort until held-out shares were first as high as `least`, a row per run.

    law, seed, run, x (the value of `against`); reached: were they?; low, high: the effort lies between these,
    the last look before and the first that saw it (0: there was none before), or above low, the last look of
    all, where it was not reached (high is inf). of: steps (rounds of a post-training), tokens, flops or
    minutes. Runs that were not watched are named in a warning and left out; ValueError if none was, or if
    runs of one law are no comparison.
    """
    column = EFFORTS[of]
    rows = []
    known = places(*folders, against=against, by=by).filter(~pl.col("law").str.contains(f"^{BEGUN}(: |$)"))
    for place in known.iter_rows(named=True):
        looks = validations(Path(place["run"]))
        if looks is not None:
            rows.append({**place, **_first(looks, column, least, place["run"])})
    if not rows:
        raise ValueError(
            "no run there has completed held-out problems during training: train with validate_problems=64"
        )
    ends = {"low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=ends, infer_schema_length=None)


def _first(looks: pl.DataFrame, column: str, least: Mapping[str, float], run: str) -> dict[str, Any]:
    needed = [column, *(f"val/{metric}" for metric in least)]
    # a run that an older version began has it in its later rows alone
    unknown = [name for name in needed if name not in looks.columns or looks[name].null_count()]
    if unknown:
        raise ValueError(
            f"{run} has no {', '.join(unknown)} in metrics.csv, or not at each look: of an older version, or "
            "misspelt"
        )
    good = pl.all_horizontal(pl.col(f"val/{metric}") >= share for metric, share in least.items())
    # in metrics.csv a training's first step has the number 0, and a post-training's first round the number 1
    first = int(column == STEP and "rollout/reward" not in looks.columns)
    seen = looks.select(effort=pl.col(column).cast(pl.Float64) + first, good=good).sort("effort")
    later = seen.filter(pl.col("effort") > 0)
    if later.is_empty():
        raise ValueError(f"{run} was watched before its first step alone: look more often (validate_every)")
    if seen["good"].any():
        at = seen.filter("good")["effort"].item(0)
        end = max(at, later["effort"].item(0))  # good from the start on: less than the first look behind it
        before = seen.filter(pl.col("effort") < at)["effort"]
        return {"reached": True, "low": before.item(-1) if len(before) else 0.0, "high": end}
    return {"reached": False, "low": later["effort"].item(-1), "high": float("inf")}


def places(*folders: str | Path, against: str, by: Sequence[str] | None = None) -> pl.DataFrame:
    """The finished runs at or below the folders, a row each: law, seed, x and run (its folder).

    A run that others begin with (init_from) has x = 0 and the law "all"; where these are of several arms,
    "all: " and its arm. ValueError if a knob is not there, if two runs of a law have one x and one seed, if
    tasks or test problems of a law differ in more than `against`, or its models in more than their size.
    """
    frame = arranged(finished(*folders), against, by)
    twice = frame.filter(pl.struct("law", "x", "seed").is_duplicated())
    if len(twice):
        first = twice.row(0, named=True)
        raise ValueError(
            f"two runs of the law {first['law']!r} have the seed {first['seed']} at {against}={first['x']:g} "
            f"({', '.join(twice['run'][:2])}): load one, or name what tells them apart with by=[...]"
        )
    return frame


def arranged(
    known: Mapping[Path, dict[str, Any]], against: str, by: Sequence[str] | None = None
) -> pl.DataFrame:
    """The rows of `places` for these runs and what each is, whether or not two have one place."""
    begun = _begun(known)
    starts = {folder: config for folder, config in known.items() if folder in begun}
    others = {folder: config for folder, config in known.items() if folder not in starts}
    values = {folder: _value(folder, config, against) for folder, config in others.items()}
    bare = [_without(config, against) for config in others.values()]
    laws = arms_of(bare) if by is None else [_named(config, by) for config in bare]
    for law in sorted({*laws}):
        mine = [k for k, name in enumerate(laws) if name == law]
        check_same([[*others][k] for k in mine], [bare[k] for k in mine])
        if against == PARAMETERS:
            _check_models(law, [bare[k] for k in mine])
        if by is not None:
            _tell_pooled(law, [bare[k] for k in mine], by)
    rows = [
        {"law": law, "seed": config["seed"], "x": values[folder], "run": str(folder)}
        for law, (folder, config) in zip(laws, others.items(), strict=True)
    ]
    arms = arms_of([*starts.values()])
    called = [BEGUN if len({*arms}) == 1 else f"{BEGUN}: {arm}" for arm in arms]
    rows += [
        {"law": law, "seed": config["seed"], "x": 0.0, "run": str(folder)}
        for law, (folder, config) in zip(called, starts.items(), strict=True)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"x": pl.Float64}, infer_schema_length=None)
    return frame.sort("law", "x", "seed")


def _check_models(law: str, configs: Sequence[dict[str, Any]]) -> None:
    if knobs := differing({"model": config["model"]} for config in configs):
        raise ValueError(
            f"models of the law {law!r} differ in more than their size ({', '.join(knobs)}): load one "
            "kind, or leave by=[...] out"
        )


def _tell_pooled(law: str, configs: Sequence[dict[str, Any]], by: Sequence[str]) -> None:
    """A warning that names the knobs, but for those of runs of one arm, in which a law's runs differ."""
    called = [f"names.{name}" for name in CALLED_BY]
    parts = [f"{name}._target_" for name in CALLED_BY]  # of which the names are told
    free = effectless(configs[0], WITHIN_AN_ARM)
    knobs = [name for name in differing(configs) if name in called or not within(name, (*free, *parts))]
    if knobs:
        warnings.warn(
            f"runs of the law {law!r} differ in {', '.join(knobs)}, and count as seeds of one: tell them "
            f"apart with by=[{','.join([*by, *knobs])}]",
            stacklevel=4,
        )


def _begun(known: Mapping[Path, dict[str, Any]]) -> set[Path]:
    """Which of these runs others among them begin with: those that lie where they lay, and if none does,
    those with the id that was noted, wherever they lie now. A run with another id is another run.
    """
    records = {folder: read_json(folder / "run.json") or {} for folder in known}
    places = {folder.resolve(): folder for folder in known}
    found: set[Path] = set()
    for folder, config in known.items():
        if (source := _source(config)) is None:
            continue
        before, place = records[folder].get("ancestors"), places.get(source)
        wanted = before[0] if before else None  # of older versions nothing is noted
        if place is not None and (wanted is None or records[place].get("id") in (None, wanted)):
            found.add(place)
        elif wanted is not None:
            found |= {other for other, record in records.items() if record.get("id") == wanted}
    return found


def _source(config: Mapping[str, Any]) -> Path | None:
    """The folder of the run that a training begins with."""
    given = config.get("init_from")
    if not given:
        return None
    path = Path(given)
    return (path.parents[1] if path.suffix == ".ckpt" else path).resolve()


def _value(folder: Path, config: dict[str, Any], against: str) -> float:
    if against == PARAMETERS:
        if PARAMETERS not in (record := read_json(folder / "run.json")):
            raise ValueError(f"against={PARAMETERS}: the run.json of {folder} does not say how many it has")
        return float(record[PARAMETERS])
    flat = flat_config(config)
    if against not in flat:
        near = get_close_matches(against, flat)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"against={against}: {folder} has no such knob{hint}")
    value = flat[against]
    value = max(value) if isinstance(value, list) else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"against={against}: {value} is no number, and a law needs some ({folder})")
    return float(value)


def _without(config: dict[str, Any], against: str) -> dict[str, Any]:
    """The config without a knob; where others go along with it, its name stands in their place. Of
    `parameters` a model's sizes are left out, and its kind is named.
    """
    config, word = deepcopy(config), against.rpartition(".")[2]
    if against == PARAMETERS:
        model = config.get("model") or {}
        other = {name: value for name, value in model.items() if name not in (*SIZES, *NOT_SHOWN)}
        config["model"] = {**other, "kind": str(model.get("_target_")).rpartition(".")[2]}
        return config
    for knob in (against, *FOLLOW.get(against, ())):
        *path, name = knob.split(".")
        inner = config
        for step in path:
            inner = inner.get(step) or {}
        if inner.get(name) is not None:
            inner[name] = word
    return config


def _named(config: dict[str, Any], by: Sequence[str]) -> str:
    flat = flat_config(config)
    unknown = [knob for knob in by if knob not in flat]
    if unknown:
        near = get_close_matches(unknown[0], flat)
        raise ValueError(f"by: {unknown[0]} is no knob" + (f"; did you mean {near[0]}?" if near else ""))
    return " ".join(f"{knob.rpartition('.')[2]}={short(flat[knob])}" for knob in by)


def shares(
    *folders: str | Path, against: str, by: Sequence[str] | None = None, split: str | None = None
) -> pl.DataFrame:
    """How good runs got, a row per run and figure: law, seed, x, run, figure, value.

    solution_valid, trace_strict; faithful: of right solutions, with a valid and stable trace
    (`analysis.stability`); silent_failure: of problems, with a wrong answer that four of five samples give at
    least; ece: of the probability of a completion (`analysis.calibrations`). With one sample a problem
    silent_failure is left out, and faithful asks for a valid trace alone. split: the test set (None: the
    first). ValueError as of `places`, and if runs were judged on different problems.
    """
    known = places(*folders, against=against, by=by)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said above
        table = load(*known["run"])
    first = table.select(pl.col("split").first()).collect().item()
    parts = figures_of(table.filter(pl.col("split") == (split or first)))
    return known.join(parts, on="run", maintain_order="left")


def figures_of(table: pl.LazyFrame) -> pl.DataFrame:
    """run, figure, value of the outcomes of one test set."""
    by = ["run"]
    parts = [_long(rates(table, name, by), name, "value") for name in ("solution_valid", "trace_strict")]
    stable = stability(table, by=by)
    parts.append(_long(stable, "faithful", "faithful"))
    if stable["samples"].min() != 1:
        parts.append(_long(stable, "silent_failure", "silent_failure"))
    sure = calibrations(table, by=by)[1].filter(confidence="probability")
    return pl.concat([*parts, _long(sure, "ece", "ece")]).drop_nulls("value")


def _long(frame: pl.DataFrame, figure: str, column: str) -> pl.DataFrame:
    value = pl.col(column).cast(pl.Float64).alias("value")
    return frame.select("run", pl.lit(figure).alias("figure"), value)
