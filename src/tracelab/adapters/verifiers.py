"""A taskset for verifiers (its v1 form), found by the name of the package tracelab_verifiers.

    vf-eval tracelab_verifiers --env.taskset.task_name sudoku

Rewarded is the weighted sum of both verdicts; each verdict is a metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import verifiers.v1 as vf
from pydantic import Field

from tracelab.adapters.naming import task_named
from tracelab.adapters.words import Parts, Weights, drawn, scores
from tracelab.rewards.base import level_of


class Data(vf.TaskData):
    """reference: the problem with its task; answer: the reference answer."""

    reference: str
    answer: str


class Scoring(vf.TaskConfig):
    """What counts; see `Weights`."""

    solution: float = 0.5
    trace: float = 0.5
    level: str = "strict"


class Problem(vf.Task[Data, vf.State, Scoring]):
    """One problem, answered in one turn."""

    def parts(self, text: str) -> Parts:
        """Verdicts on an answer; see `words.scores`."""
        return scores([self.data.reference], [text], self.config.level)[0]

    @vf.reward
    async def verdicts(self, trace: vf.Trace[Any, Any, Any]) -> float:
        """The weighted sum."""
        return self.worth(trace.last_reply)

    @vf.metric
    async def verdict(self, trace: vf.Trace[Any, Any, Any]) -> dict[str, float]:
        """Each verdict by its name; not the first bad step: a mean counts 0 where a trace has none."""
        parts = self.parts(trace.last_reply)
        return {name: value for name, value in parts.items() if isinstance(value, float)}

    def worth(self, text: str) -> float:
        """The reward of an answer."""
        weights = Weights(self.config.solution, self.config.trace, self.config.level)
        return weights.of(self.parts(text))

    async def validate(self, runtime: Any) -> bool:
        """Is the reference answer worth all that there is?"""
        return self.worth(self.data.answer) == self.config.solution + self.config.trace


class Settings(vf.TasksetConfig):
    """task_name, knobs: the task; count, split, seed: which of its problems."""

    task_name: str = "maze"
    knobs: dict[str, Any] = Field(default_factory=dict)
    count: int = 100
    split: str = "train"
    seed: int = 0
    task: Scoring = Scoring()


class Problems(vf.Taskset[Problem, Settings]):
    """Problems of one of our tasks."""

    def load(self) -> Iterator[Problem]:
        """The problems in their order. ValueError if there is no such task, level or split."""
        config = self.config
        task = task_named(config.task_name, **config.knobs)
        level_of(task.levels, config.task.level)
        for index, question in enumerate(drawn(task, config.count, config.split, config.seed)):
            data = Data(
                name=f"tracelab_{task.name}_{index}",
                prompt=question.prompt,
                reference=question.reference,
                answer=question.answer,
            )
            yield Problem(data, config.task)
