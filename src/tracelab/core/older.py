"""Older spellings of knobs: a class says what they were called, and they are read with a warning.

    @reads_older(ood_sizes="ood.size", largest="reach.side")
    @dataclass(frozen=True)
    class Maze: ...

Maze(ood_sizes=[9], largest=12) is then Maze(ood=[{"size": 9}], reach={"side": 12}): each value of a list is a
test set, a number is a part of `reach`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type)


def reads_older(**names: str) -> Callable[[Kind], Kind]:
    """A decorator of a task's dataclass. names: older knobs, each with its place, "ood.KNOB" or "reach.NAME".

    A knob that is neither today's nor an older one is a ValueError then.
    """

    def decorate(kind: Kind) -> Kind:
        task: Any = kind
        init, known = task.__init__, [f.name for f in fields(task)]

        @wraps(init)
        def read(self: Any, *values: Any, **knobs: Any) -> None:
            for knob in knobs.keys() - {*known, *names}:
                raise ValueError(f"task.{knob}: {task.name} has no such knob; it has {', '.join(known)}")
            init(self, *values, **todays(names, knobs))

        task.__init__, task.older = read, names
        return kind

    return decorate


def todays(names: Mapping[str, str], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Knobs in today's spelling, which a FutureWarning names where it is another.

    names: older knobs with their places, as for `reads_older`.
    """
    older = {name: place for name, place in names.items() if name in knobs}
    if not older:
        return dict(knobs)
    parts = {place.partition(".")[0] for place in older.values()}
    read: dict[str, Any] = {"ood": [*_test_sets(names, knobs)]} if "ood" in parts else {}
    if "reach" in parts:
        read["reach"] = _reach(older, knobs)
    spelled = " ".join(f"'task.{knob}={_words(value)}'" for knob, value in read.items())
    asked = ", ".join(f"task.{name}" for name in older)
    warnings.warn(f"{asked}: an older spelling; write {spelled}", FutureWarning, stacklevel=3)
    return {**{name: value for name, value in knobs.items() if name not in older}, **read}


def _test_sets(names: Mapping[str, str], knobs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The test sets. An older list takes the place of those that change its knob alone; others stay."""
    stated, lists = list(knobs.get("ood", ())), {k: v for k, v in names.items() if v.startswith("ood.")}
    for name, place in lists.items():
        knob = place.removeprefix("ood.")
        own = [change for change in stated if [*change] == [knob]]
        yield from [{knob: value} for value in knobs[name]] if name in knobs else own
        stated = [change for change in stated if [*change] != [knob]]
    yield from stated


def _reach(older: Mapping[str, str], knobs: Mapping[str, Any]) -> dict[str, Any] | None:
    """How far the vocabulary goes; None: as far as is in use."""
    placed = [(place.split("."), knobs[name]) for name, place in older.items()]
    given = {part[1]: far for part, far in placed if part[0] == "reach" and far is not None}
    return {**(knobs.get("reach") or {}), **given} or None


def _words(value: Any) -> str:
    """A value as the command line takes it."""
    return json.dumps(value, default=list).replace('"', "")
