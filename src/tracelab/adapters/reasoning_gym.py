"""Our tasks as data sets of reasoning-gym, named tracelab_maze, tracelab_sudoku, ...

from tracelab.adapters.reasoning_gym import register

register()
data = reasoning_gym.create_dataset("tracelab_maze", size=10, seed=42, knobs={"size": 9})
data.score_answer(answer, data[0])     # answer: all that was said, tags included
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tracelab.adapters.naming import names, task_named
from tracelab.adapters.words import Weights, drawn, scores
from tracelab.core.types import Task
from tracelab.data.splits import stream_of
from tracelab.rewards.base import level_of


@dataclass
class Config:
    """knobs: of the task, beside those of conf/task; split: see `words.drawn`; solution, trace, level: what
    counts, see `Weights`; seed, size: of the data set, as in all of theirs.
    """

    knobs: dict[str, Any] = field(default_factory=dict)
    split: str = "train"
    solution: float = 0.5
    trace: float = 0.5
    level: str = "strict"
    seed: int | None = None
    size: int = 500

    def validate(self) -> None:
        """ValueError if a field is wrong that any task would refuse."""
        if self.size < 1 or not 0 <= self.solution + self.trace <= 1:
            raise ValueError("size must be 1 or more, and solution and trace 1 at most together")


def register() -> tuple[str, ...]:
    """The names of our data sets, which reasoning-gym knows from now on."""
    from reasoning_gym.factory import DATASETS, register_dataset

    for task in names():
        if f"tracelab_{task}" not in DATASETS:
            register_dataset(f"tracelab_{task}", _dataset(task), Config)
    return tuple(f"tracelab_{task}" for task in names())


def _dataset(name: str) -> type:
    """The data set's class of a task; it is made here, for its base is reasoning-gym's."""
    from reasoning_gym.dataset import ProceduralDataset

    class Problems(ProceduralDataset):
        """Problems of a task: item i is problem i of the stream that seed and split name."""

        def __init__(self, config: Config) -> None:
            super().__init__(config=config, seed=config.seed, size=config.size)
            self.task: Task = task_named(name, **config.knobs)
            level_of(self.task.levels, config.level)
            stream_of(self.task, config.split)

        def __getitem__(self, idx: int) -> dict[str, Any]:
            (question,) = drawn(self.task, 1, self.config.split, self.seed, start=idx)
            about = {"source_dataset": f"tracelab_{name}", "source_index": idx}
            metadata = {**about, "problem": question.problem, "reference": question.reference}
            return {"question": question.prompt, "answer": question.answer, "metadata": metadata}

        def score_answer(self, answer: str | None, entry: dict[str, Any]) -> float:
            """Weighted verdicts on solution and trace."""
            weights = Weights(self.config.solution, self.config.trace, self.config.level)
            reference = entry["metadata"]["reference"]
            (parts,) = scores([reference], [answer if isinstance(answer, str) else ""], weights.level)
            return weights.of(parts)

    return Problems
