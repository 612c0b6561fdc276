"""Accuracy and validity during training: held-out problems, completed and judged at every validation.

    validation = Validation(HeldOut.of(sampling, task, examples, max_new))
    trainer = lightning.Trainer(callbacks=[validation], val_check_interval=500)

They are problems of the validation split, never of a test set, so that a run may be stopped, or chosen, by
what is seen here. Completions are greedy: training's random numbers are what they would be without.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracelab.core.types import Examples, Task
from tracelab.evaluation.judging import judge_model
from tracelab.models.base import Model
from tracelab.runs.columns import HALVES, OF_HALVES
from tracelab.runs.settings import Sampling


@dataclass(frozen=True)
class HeldOut:
    """A function of a model: its figures on the same problems every time.

    sampling: how completions are sampled; max_new: tokens that one may have.
    """

    task: Task
    examples: Examples
    sampling: Sampling
    max_new: int

    @staticmethod
    def of(tested: Sampling, task: Task, examples: Examples, max_new: int) -> HeldOut:
        """One completion of each problem, greedy. tested: how the test sets' are sampled."""
        greedy = replace(tested, temperature=0.0, samples=1)
        return HeldOut(task, examples, greedy, max_new)

    def __call__(
        self, model: Model, rank: int = 0, world: int = 1, add: Callable[[Tensor], Tensor] | None = None
    ) -> dict[str, float]:
        """Means over all problems, of both verdicts at every level among them; how many; seconds taken.

        Names of shares of the easier and the harder half, by the length of the reference solver's search,
        begin with `easy_` and `hard_`.

        Of `world` processes each completes a share, and `add` adds up what they have found.
        """
        began = time.perf_counter()
        rows = np.arange(rank, len(self.examples), world)
        columns = self._judged(model, self.examples.take(rows))
        columns |= self._halves(columns, rows)
        sums = torch.tensor([values.sum() for values in columns.values()], dtype=torch.float64)
        means = (sums if add is None else add(sums)) / len(self.examples)
        figures = dict(zip(columns, means.tolist(), strict=True))
        return {"problems": len(self.examples), **figures, "seconds": time.perf_counter() - began}

    def _halves(self, columns: dict[str, NDArray[Any]], rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """(n,) each, whose sums over all problems, divided by how many these are, are shares of each half."""
        count, found = len(self.examples), dict[str, NDArray[Any]]()
        hard = np.zeros(count, np.bool_)
        hard[np.argsort(self.examples.trace.lengths, kind="stable")[count - count // 2 :]] = True
        for name, half in zip(HALVES, (~hard, hard), strict=True):
            if half.any():
                weight = half[rows] * (count / half.sum())
                found |= {f"{name}_{metric}": columns[metric] * weight for metric in OF_HALVES}
        return found

    def _judged(self, model: Model, examples: Examples) -> dict[str, NDArray[Any]]:
        """(n,) each. only_solution: is the solution valid where the trace is not, strictly?"""
        judged = judge_model(model, self.task, examples, self.sampling, self.max_new)
        verdicts, completions = judged.verdicts, judged.completions
        levels = {f"trace_{level}": verdicts.trace_ok[:, k] for k, level in enumerate(self.task.levels)}
        return {
            "solution_valid": verdicts.solution_valid,
            "solution_optimal": verdicts.solution_optimal,
            **levels,
            "only_solution": verdicts.solution_valid & ~levels["trace_strict"],
            "truncated": completions.truncated,
            "tokens": completions.tokens.lengths,
            "trace_steps": verdicts.steps,
        }


class Validation(lightning.Callback):
    """Logs the figures of `held_out` with each validation, val/solution_valid and so on.

    Several processes share the problems. The time it takes is val/seconds, and no training time.
    """

    def __init__(self, held_out: HeldOut) -> None:
        self.held_out = held_out

    def on_validation_epoch_end(self, trainer: lightning.Trainer, learner: Any) -> None:
        """Log the figures. It runs before the learner's own hook, which restarts the clock of training."""
        with torch.inference_mode(False), torch.no_grad():  # as in evaluation, for which sampling compiles
            figures = found_together(self.held_out, trainer, learner)
        learner.log_dict({f"val/{name}": value for name, value in figures.items()}, batch_size=1)


def found_together(held_out: HeldOut, trainer: lightning.Trainer, learner: Any) -> dict[str, float]:
    """The figures of a learner's model, of which each process finds a share."""

    def add(sums: Tensor) -> Tensor:
        summed: Tensor = trainer.strategy.reduce(sums.to(learner.device), reduce_op="sum")
        return summed

    return held_out(learner.model, trainer.global_rank, trainer.world_size, add)
