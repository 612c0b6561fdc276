"""What all tasks have in common: test sets that differ in some knobs, and a vocabulary that writes them all.

ood: [{generator: dfs}, {size: 9}]      # test sets out of distribution, each the knobs that it changes
reach: {side: 12}                       # how far the vocabulary goes; null: as far as is in use
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from tracelab.core import rng
from tracelab.core.settings import typed

Task = TypeVar("Task")
LIMITS = ("longest", "max_steps")  # knobs that leave short searches as they are
MOST = 10_000  # of a kind that a vocabulary may have words for, for stored problems are of 16 bits
MADE = ("problem", "trace", "solution")  # what a draw holds besides its prompt
FEW = (8, 128)  # problems by which changes are compared: more of them where the first do not differ


class Varied(ABC):
    """A task, a frozen dataclass, with the knobs `ood` and `reach`.

    fixed: knobs that no test set may change, for they make the format; farthest: what `reach` may not exceed,
    MOST if it says nothing.
    """

    ood: Sequence[Mapping[str, Any]]
    reach: Mapping[str, int] | None
    name: str

    fixed: ClassVar[tuple[str, ...]] = ()
    farthest: ClassVar[Mapping[str, int]] = {}

    @property
    @abstractmethod
    def uses(self) -> dict[str, int]:
        """How far its own problems go, test sets apart, by the names that `reach` has."""

    def implied(self, change: Mapping[str, Any]) -> Mapping[str, Any]:
        """Knobs that a test set changes, too, unless it says otherwise."""
        return {}

    def called(self, change: Mapping[str, Any]) -> str:
        """The name of a test set; it is part of the stream of its problems."""
        return "_".join(self.spelled(knob, value) for knob, value in change.items())

    def spelled(self, knob: str, value: Any) -> str:
        """A changed knob in a name: "star" for generators, "nodes_24", "grid_5x5"."""
        if knob == "generator":
            return str(value)
        several = isinstance(value, Sequence) and not isinstance(value, str)
        return f"{knob}_{'x'.join(map(str, value)) if several else value}"

    @cached_property
    def variants(self) -> dict[str, Self]:
        """The tasks of `ood` by the name of their test set, with vocabularies of their own.

        ValueError if one changes what is no knob, or may not differ, or to what may not be.
        """
        tasks = [(change, self._changed(change)) for change in self.ood]
        return {self.called(change): task for change, task in tasks}

    def _changed(self, change: Mapping[str, Any]) -> Self:
        if not isinstance(change, Mapping):
            raise ValueError(f"task.ood: {change!r} is no mapping of knobs, such as {{solver: dfs}}")
        free = [name for name in _knobs(self) if name not in (*self.fixed, "ood", "reach")]
        for knob in change:
            if knob not in free:
                raise ValueError(
                    f"task.ood: {knob!r} is no knob that may differ; choose from {', '.join(free)}"
                )
        alone: dict[str, Any] = {"ood": (), "reach": None}
        checked = typed("task.ood", dict(change), type(self))
        try:
            return _with(self, {**alone, **self.implied(checked), **checked})
        except ValueError as error:
            raise ValueError(f"task.ood, {_words(change)}: {error}") from None

    @property
    def in_use(self) -> dict[str, int]:
        """How far any problem goes, test sets included."""
        every = [task.uses for task in (self, *self.variants.values())]
        return {name: max(used[name] for used in every) for name in self.uses}

    @cached_property
    def reaches(self) -> dict[str, int]:
        """How far the vocabulary goes. ValueError if `reach` has another name or too low or high a number."""
        used, given = self.in_use, {name: far for name, far in (self.reach or {}).items() if far is not None}
        for name, far in given.items():
            if name not in used:
                raise ValueError(f"task.reach: {name!r} is unknown; choose from {', '.join(used)}")
            if far < used[name]:
                raise ValueError(
                    f"task.reach: {name}={far} is below the {used[name]} in use; raise it or leave it out"
                )
            if far > (most := self.farthest.get(name, MOST)):
                raise ValueError(f"task.reach: {name}={far} is above {most}; lower it")
        return {**used, **given}

    def misfit(self, change: Mapping[str, Any]) -> str | None:
        """Why a test set cannot be had of this task; None: it can."""
        try:
            self._changed(change)
        except ValueError as error:
            return str(error)
        if self.called(change) == getattr(self, "in_distribution", self.name):
            return f"task.ood, {_words(change)}: it is what is trained on"
        return None

    def idle(self, seed: int) -> list[int]:
        """Which of each test set's knobs is the first that changes nothing, -1 where none is: from the same
        keys, with the knob and without it, comes the same. What limits the length of searches may change
        nothing in most problems.
        """
        return [self._first_idle(change, seed) for change in self.ood]

    def _first_idle(self, change: Mapping[str, Any], seed: int) -> int:
        for k, (knob, value) in enumerate(change.items()):
            rest = {other: value for other, value in change.items() if other != knob}
            if knob in (*LIMITS, *self.passed_over(change)) or knob in self.implied(rest):
                continue
            if value == getattr(self, knob) or self._alike(rest, change, seed):
                return k
        return -1

    def why_idle(self, change: Mapping[str, Any], knob: int) -> str | None:
        """What is wrong with a test set of which that knob changes nothing; None where it is -1."""
        if knob < 0:
            return None
        return (
            f"task.ood, {_words(change)}: {list(change)[knob]} changes nothing, for the other knobs leave it "
            "no effect or it is as it was; leave it out, or change what it depends on, too"
        )

    def _alike(self, one: Mapping[str, Any], other: Mapping[str, Any], seed: int) -> bool:
        """Does the same come of two changes, from so many keys? A few are asked first. Not where one of them
        cannot be had: then the other is needed.
        """
        try:
            tasks: list[Any] = [_with(self._changed(part), {"reach": self.reaches}) for part in (one, other)]
            for count in FEW:
                keys = rng.keys(seed, "ood", 0, count, "idle knobs")
                ours, theirs = (task.generate(keys, "ood") for task in tasks)
                shown = [task.prompts(examples) for task, examples in zip(tasks, (ours, theirs), strict=True)]
                for a, b in (shown, *((getattr(ours, part), getattr(theirs, part)) for part in MADE)):
                    if not np.array_equal(a.offsets, b.offsets) or not np.array_equal(a.values, b.values):
                        return False
        except ValueError:
            return False
        return True

    def passed_over(self, change: Mapping[str, Any]) -> Sequence[str]:
        """Knobs in a test set that may change nothing."""
        return ()

    def test_sets(self) -> Mapping[str, Self]:
        """Out-of-distribution variants by name, with this task's vocabulary."""
        return {name: _with(task, {"reach": self.reaches}) for name, task in self.variants.items()}


def _words(change: Mapping[str, Any]) -> str:
    """A test set as YAML has it."""
    return f"{{{', '.join(f'{knob}: {value}' for knob, value in change.items())}}}"


def _knobs(task: Any) -> list[str]:
    """Names of a task's fields."""
    return [field.name for field in fields(task)]


def _with(task: Task, changes: Mapping[str, Any]) -> Task:
    """A copy of a task, a dataclass, with other knobs."""
    made: Any = task
    changed: Task = replace(made, **changes)
    return changed
