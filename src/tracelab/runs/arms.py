"""What runs are called by what differs in their configs.

An arm is a treatment with all that differs among the runs that are looked at, but for seeds.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Mapping
from copy import deepcopy
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from yaml import CSafeLoader, YAMLError

from tracelab.core.files import read_json, read_text
from tracelab.runs import stamps
from tracelab.runs.folder import Run, is_run
from tracelab.runs.identity import arm_of, is_arm_of, lineage
from tracelab.runs.knobs import (
    BY_TEACHER,
    CALLED_BY,
    NOT_SHOWN,
    WITHIN_AN_ARM,
    effectless,
    flat_config,
    text_of,
    within,
)
from tracelab.runs.older import in_todays_words, with_recorded


def config_of(folder: Path) -> dict[str, Any]:
    """A run's config. libyaml reads it: a sweep has hundreds, and OmegaConf takes 15 times as long.

    ValueError if it is damaged, or asks for more than plain values.
    """
    path, plain, fault = folder / "config.yaml", None, "it holds no names and values"
    try:
        plain = deepcopy(_plain(read_text(path)))
    except (YAMLError, UnicodeError) as error:
        fault = " ".join(str(error).split())
    if not isinstance(plain, dict):
        raise ValueError(f"{path} is damaged, or no run's ({fault})")
    return with_recorded(in_todays_words(plain), folder)


@lru_cache(maxsize=4096)  # a page of results asks for each run's dozens of times
def _plain(text: str) -> Any:
    return CSafeLoader(text).get_single_data()


def source_of(folder: Path) -> Path:
    """The folder of the run that a post-training went on from: where it lay, or near it if they were moved.

    Near is in the same folder, or in one beside that. A run of that name with another id is another run.
    ValueError if it is not there, or the run was not post-trained.
    """
    config = config_of(folder)
    if not config["names"].get("algorithm") or not config.get("run"):
        raise ValueError(f"{folder} was not post-trained: there is nothing before it")
    source, ancestors = Path(config["run"]), _record(folder).get("ancestors")
    wanted = ancestors[0] if ancestors else None
    for place in (source, folder.parent / source.name):
        if is_run(place) and (wanted is None or _record(place).get("id") in (None, wanted)):
            return place
    for place in sorted(folder.resolve().parent.parent.glob(f"*/{source.name}")):
        if is_run(place) and lineage(Run.open(place))[0] == wanted:
            return place
    raise ValueError(f"{folder} was post-trained from {source}, which is gone: put it back, or beside it")


def _record(folder: Path) -> dict[str, Any]:
    return read_json(folder / "run.json") or {}


def begun_with(config: Mapping[str, Any]) -> str:
    """Which checkpoint of the run before it a run began with, last or best. config: the later run's."""
    if config["names"].get("algorithm"):
        return str(config.get("checkpoint", "last"))
    if merged := config.get("merge"):
        return str(merged.get("checkpoint", "last"))
    given = Path(config.get("init_from") or "")
    return given.stem if given.suffix == ".ckpt" else "last"


def judged_source_of(folder: Path, source: Path | None = None) -> Path:
    """`source_of`, whose outcomes are those of the checkpoint that the post-training began with.

    source: the folder that is taken for it, a copy of that run, say; None: `source_of` finds it.
    ValueError if they are another checkpoint's, or the source was trained on since: what differs from them is
    not what post-training changed. Runs of older versions are checked as `check_source` says.
    """
    source = source or source_of(folder)
    run, before = Run(folder, config_of(folder)), Run(source, config_of(source))
    began, judged = begun_with(run.config), before.config["eval"].get("checkpoint", "last")
    if began != judged:
        raise ValueError(
            f"{folder} was post-trained from checkpoint={began} of {source}, whose outcomes are those of "
            f"{judged}: give the command that made {source} once more with eval.checkpoint={began}, and it "
            "is judged there without training"
        )
    metrics = before.read_json("metrics.json") or {}
    check_source(run, before, stamps.of_outcomes(metrics, before.config, _record(source)))
    return source


def check_source(run: Run, source: Run, now: stamps.Stamp) -> None:
    """ValueError if a run's source is another model now than the run began with.

    now: the source's stamp (`runs.stamps`). Runs of older versions noted the source's arm and no stamp: of
    these a warning says that it may be another model.
    """
    noted = _record(run.folder).get("began")
    if noted is None:
        name, checkpoint = run.config["names"].get("source"), begun_with(run.config)
        plain = name is not None and "merge" not in run.config  # what is merged has several sources' names
        if plain and not is_arm_of(name, source, checkpoint):
            warnings.warn(
                f"{run.folder} began with {source.folder} as {name}, which it is no more: if it was trained "
                "on since, and not only judged otherwise, not all that differs is what was changed later",
                stacklevel=3,
            )
    elif dict(now) != noted:
        raise ValueError(
            f"{run.folder} began with {source.folder} at step {noted['steps']}, which is at step "
            f"{now['steps']} now: begin anew with it in another run_dir, or put the source back as it was, "
            "from a copy of its folder"
        )


def described(folder: Path) -> dict[str, Any]:
    """What makes a run what it is: its config, its source's arm, and the budgets that it had before its last.

    ValueError if it is no run's config.

    Older versions noted where the run lies whose weights a run begins with. Its arm they did not note, or
    named otherwise: here it has the name that it would have today.
    """
    record, config = _record(folder), config_of(folder)
    if not isinstance(config.get("names"), dict) or "seed" not in config:
        raise ValueError(f"{folder / 'config.yaml'} is no run's: it has no names and no seed")
    names, source = config["names"], _begun_from(folder, config)
    if source is not None:
        run, checkpoint = Run(source, config_of(source)), begun_with(config)
        if names.get("source") in (None, arm_of(run, checkpoint, older=True)):
            config["names"] = {**names, "source": arm_of(run, checkpoint)}
    return {**config, "extended_from": record.get("extended_from", [])}


def _begun_from(folder: Path, config: Mapping[str, Any]) -> Path | None:
    """The folder of the run whose weights a run began with; None if there is none, or it is not found."""
    if config["names"].get("algorithm"):
        try:
            return source_of(folder)
        except ValueError:
            return None
    given = Path(config.get("init_from") or "")
    place = given.parent.parent if given.suffix == ".ckpt" else given
    return place if config.get("init_from") and is_run(place) else None


def differing(configs: Iterable[dict[str, Any]]) -> list[str]:
    """Dotted names whose values differ. A knob that an older version did not have is null."""
    flat = [flat_config(config) for config in configs]
    names = dict.fromkeys(name for one in flat for name in one)
    return [name for name in names if len({text_of(one.get(name)) for one in flat}) > 1]


def arms_of(configs: list[dict[str, Any]]) -> list[str]:
    """A name for each run: its kind, and what of its config differs among runs of that kind but is not its
    own. A knob is called by its last word, and by its whole name where that word is of different knobs of
    runs that would have one name. The class of a part is named, and a teacher's number of problems, where
    nothing else tells two apart.
    """
    differ = [name for name in differing(configs) if not within(name, WITHIN_AN_ARM)]
    making = [name for name in differ if name.rpartition(".")[2] not in NOT_SHOWN]
    kinds = [tuple(config["names"].get(name) for name in CALLED_BY) for config in configs]
    flat = [flat_config(config) for config in configs]
    values: dict[Any, set[str]] = {}
    spelled: dict[tuple[str, str], str] = {}  # of what was written as 1 and as 1.0, the latter
    for kind, one in zip(kinds, flat, strict=True):
        for name in making:
            text = text_of(one.get(name))
            values.setdefault((kind, name), set()).add(text)
            spelled[name, text] = max(spelled.get((name, text), ""), short(one.get(name)), key=len)
    told = []  # of each run
    for kind, one in zip(kinds, flat, strict=True):
        shown = [name for name in making if len(values[kind, name]) > 1 and name in one]
        told.append({name: spelled[name, text_of(one[name])] for name in shown})
    same: dict[str, list[dict[str, str]]] = {}
    for arm, knobs in zip(_called(configs, told, set()), told, strict=True):
        same.setdefault(arm, []).append(knobs)
    doubtful = {
        name for group in same.values() for name in {*chain(*group)} if any(name not in one for one in group)
    }
    parts = [name for name in differ if name.endswith("._target_")]
    return _told_apart(_called(configs, told, doubtful), configs, [*parts, BY_TEACHER])


def _called(configs: list[dict[str, Any]], told: list[dict[str, str]], doubtful: Container[str]) -> list[str]:
    """A name for each run: its kind and its knobs. told: of each run; doubtful: those whose last word is not
    enough.
    """
    arms = []
    for config, knobs in zip(configs, told, strict=True):
        names = config["names"]
        words = [names["trace"]]
        words += [
            f"{name if name in doubtful else name.rpartition('.')[2]}={value}"
            for name, value in knobs.items()
        ]
        words += _source(names, [other["names"] for other in configs])
        if names.get("algorithm"):
            words.append(f"{names['algorithm']}({names.get('reward', 'solution')})")
        arms.append(" ".join(words))
    return arms


def _told_apart(arms: list[str], configs: list[dict[str, Any]], names: list[str]) -> list[str]:
    """The arms' names; where runs of one name differ in one of these knobs, each ends with its value.

    A class is called by its part: `correct model=GPT`.
    """
    for name in names:
        part, _, knob = name.rpartition(".")
        values = [
            None if name in effectless(one, WITHIN_AN_ARM) else flat_config(one).get(name) for one in configs
        ]
        last = {str(value).rpartition(".")[2] for value in values}
        known: dict[str, set[Any]] = {}
        for arm, value in zip(arms, values, strict=True):
            known.setdefault(arm, set()).add(value)
        for k, (arm, value) in enumerate(zip(arms, values, strict=True)):
            if len(known[arm]) > 1:
                word = str(value).rpartition(".")[2] if len(last) == len({*values}) else str(value)
                arms[k] = f"{arm} {part.rpartition('.')[2] or knob}={word}"
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
