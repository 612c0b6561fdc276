"""Test sets out of distribution: those of a task's YAML that its other knobs leave no room for are left out.

`task=sudoku task.size=4` has no sudokus of 15 clues, and with `task=maze task.generator=dfs` the mazes by dfs
are what is trained on. Test sets that somebody has asked for are refused instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, TypeVar

from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from tracelab.core.paths import CONF
from tracelab.core.settings import Part
from tracelab.data import splits
from tracelab.data.compiling import compile_ahead
from tracelab.runs.build import build_task
from tracelab.runs.settings import Experiment

Some = TypeVar("Some", bound=Experiment)
Say = Callable[[str], None]
Change = Mapping[str, Any]


class Given(NamedTuple):
    """The test sets of a task's YAML: all, those that a task can have, and why it cannot have the others."""

    every: list[Change]
    possible: list[Change]
    reasons: list[str]


def possible(part: Part, say: Say = lambda _: None) -> Part:
    """A task's part of a config without those of its YAML's test sets that it cannot have.

    say: is told why each of them is left out. Nothing is drawn, but kernels are imported (`core.jit`).
    """
    given = _given(part)
    if given is None or part["ood"] != given.every:
        return part
    return _left(part, given.possible, given.reasons, say)


def fitted(experiment: Some, say: Say) -> Some:
    """An experiment without test sets that its task cannot have, see `possible`."""
    return replace(experiment, task=possible(experiment.task, say))


def effective(experiment: Some, say: Say) -> Some:
    """An experiment without those of its task's YAML's test sets that would be as without a knob that they
    change. ValueError if it has others of which this is so.
    """
    part, seed = experiment.task, experiment.eval.seed
    task: Any = build_task(part)
    ready = lambda: compile_ahead(part, experiment.trace)  # noqa: E731
    given = _given(part)
    if given is None or part["ood"] != given.possible:
        splits.check_far(task, seed, ready)
        return experiment
    idle = zip(part["ood"], splits.idle(task, seed, ready), strict=True)
    reasons = [task.why_idle(change, knob) for change, knob in idle]
    kept = [change for change, reason in zip(part["ood"], reasons, strict=True) if reason is None]
    return replace(experiment, task=_left(part, kept, [why for why in reasons if why is not None], say))


def _left(part: Part, kept: list[Change], reasons: list[str], say: Say) -> Part:
    for reason in reasons:
        say(f"A test set that comes with the task is left out: {reason}")
    return {**part, "ood": kept} if reasons else part


def _given(part: Part) -> Given | None:
    """What is known of the test sets of a task's YAML. None: there is no such YAML, or nothing of it was
    changed, or the task's own knobs are refused, which is said where it is built in earnest.
    """
    default = _defaults().get(part.get("_target_", ""), {})
    if not default.get("ood") or part == default:
        return None
    try:
        task: Any = build_task({**part, "ood": []})
    except (ValueError, InstantiationException):
        return None
    reasons = [task.misfit(change) for change in default["ood"]]
    can_be = [change for change, reason in zip(default["ood"], reasons, strict=True) if reason is None]
    return Given(default["ood"], can_be, [reason for reason in reasons if reason is not None])


@cache
def _defaults() -> dict[str, Any]:
    """What each task's YAML says, by the task's class."""
    plain = [OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob("task/*.yaml"))]
    return {part["_target_"]: part for part in plain if isinstance(part, dict)}
