"""The levels that a teacher leads a training through: the experiment at each value of a knob of its task.

at_levels(experiment)       # one experiment for each value; the last is the experiment as its task says
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from tracelab.core.knobs import one_of
from tracelab.runs.build import build_task
from tracelab.runs.knobs import options
from tracelab.runs.settings import Experiment
from tracelab.runs.treatments import build_treatment

E = TypeVar("E", bound=Experiment)


def at_levels(experiment: E) -> list[E]:
    """The experiment at each value of its teacher's knob; alone where there is no teacher."""
    teacher = experiment.data.teacher
    if teacher is None:
        return [experiment]
    return [replace(experiment, task={**experiment.task, teacher.knob: value}) for value in teacher.values]


def check_levels(experiment: Experiment) -> None:
    """ValueError if a teacher has no such knob, or its values do not lead to what is tested on."""
    teacher, data = experiment.data.teacher, experiment.data
    if teacher is None:
        return
    one_of("data.teacher.knob", knob := teacher.knob, [*options(experiment.task)])
    last = experiment.task[knob]
    if teacher.values[-1] != last:
        raise ValueError(
            f"data.teacher.values={teacher.values} do not end with task.{knob}={last}, on which the model is "
            "tested: let the last value be the task's"
        )
    if data.files is not None:
        raise ValueError("data.teacher draws problems, data.files has them: leave one of them out")
    if data.short_first is not None:
        raise ValueError(
            "data.teacher says which problems come first, and so does data.short_first="
            f"{data.short_first:g}: take data.short_first=null, and so in runs that this one is compared with"
        )
    if build_treatment(experiment.trace).in_turn():
        raise ValueError(
            f"trace={experiment.names.trace} changes in the course of a training, and so do data.teacher's "
            "problems: leave one of them out"
        )
    _check_words(experiment)


def _check_words(experiment: Experiment) -> None:
    """ValueError if the levels do not have one vocabulary."""
    tasks = [build_task(each.task) for each in at_levels(experiment)]
    if len({task.codec.vocabulary for task in tasks}) == 1:
        return
    used = [getattr(task, "uses", {}) for task in tasks]
    most = {name: max(uses.get(name, 0) for uses in used) for name in used[-1]}
    reach = ",".join(f"{name}:{value}" for name, value in most.items())
    raise ValueError(
        "data.teacher.values have vocabularies of their own, and a model has one: take the same for all, "
        f"task.reach={{{reach}}} or more"
    )
