"""Out-of-distribution test sets as a list of changed knobs, for tasks that have a knob `ood`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

Task = TypeVar("Task")


def variants(task: Task, fixed: Sequence[str] = (), **plain: Any) -> dict[str, Task]:
    """The tasks of `task.ood` by the name of their test set; plain: knobs that all of them have like this."""
    every: dict[str, Any] = {"ood": (), **plain}
    return {name: replace(task, **{**every, **change}) for name, change in named(task, fixed).items()}  # type: ignore[type-var]


def named(task: Any, fixed: Sequence[str] = ()) -> dict[str, Mapping[str, Any]]:
    """The changes of `task.ood` by the name of their test set.

    fixed: knobs that may not change. ValueError if one does, or is none.
    """
    free = [f.name for f in fields(task) if f.name not in (*fixed, "ood")]
    for knob in (knob for change in task.ood for knob in change if knob not in free):
        raise ValueError(f"task.ood: {knob!r} is no knob that may differ; choose from {', '.join(free)}")
    return {"_".join(_name(knob, value) for knob, value in change.items()): change for change in task.ood}


def _name(knob: str, value: Any) -> str:
    """A changed knob in a name: "star" for generators, "nodes_24", "grid_5x5"."""
    if knob == "generator":
        return str(value)
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return f"{knob}_{'x'.join(map(str, value)) if several else value}"
