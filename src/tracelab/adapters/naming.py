"""Problems as text that other libraries carry: JSON of the task's name, its knobs and its own words.

task = task_named("maze", size=9)                   # conf/task/maze.yaml with this knob
same, problem = read(written(task, "start 0,0 ..."))

What is read may be a stranger's: it names a task of conf/task, and plain values are its knobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import yaml
from hydra.utils import get_object

from tracelab.core.paths import CONF
from tracelab.core.settings import typed
from tracelab.core.types import Task


def names() -> tuple[str, ...]:
    """The tasks that there are."""
    return tuple(sorted(path.stem for path in CONF.glob("task/*.yaml")))


def task_named(name: str, **knobs: Any) -> Task:
    """A task of conf/task with some knobs changed. ValueError if there is none, or a knob is wrong."""
    if name not in names():
        raise ValueError(f"there is no task {name!r}; there are {', '.join(names())}")
    part = yaml.safe_load((CONF / "task" / f"{name}.yaml").read_text(encoding="utf-8"))
    kind = get_object(part.pop("_target_"))  # and no instantiation: a knob's `_target_` would be one, too
    unknown = sorted(set(knobs) - set(part))
    if unknown:
        raise ValueError(f"task {name} has no knob {unknown[0]!r}; it has {', '.join(part)}")
    task: Task = kind(**typed("task", {**part, **knobs}, kind))
    return task


def knobs_of(task: Task) -> dict[str, Any]:
    """A task's knobs by name."""
    assert is_dataclass(task)
    return {field.name: getattr(task, field.name) for field in fields(task)}


def written(task: Task, problem: str) -> str:
    """A problem with its task, as text. ValueError if conf/task has no such task."""
    if task.name not in names():
        raise ValueError(f"conf/task has no {task.name}.yaml: a task is found again by its file's name")
    return json.dumps({"task": task.name, "knobs": knobs_of(task), "problem": problem}, sort_keys=True)


def read(text: str) -> tuple[Task, str]:
    """What such a text describes; equal tasks are one object. ValueError if it describes none."""
    told: Any = json.loads(text)
    if not isinstance(told, Mapping) or not isinstance(told.get("knobs"), Mapping):
        raise ValueError('a problem is written as {"task": its name, "knobs": {...}, "problem": its words}')
    return _task(str(told.get("task")), json.dumps(told["knobs"], sort_keys=True)), str(told.get("problem"))


@lru_cache(maxsize=64)
def _task(name: str, knobs: str) -> Task:
    return task_named(name, **json.loads(knobs))
