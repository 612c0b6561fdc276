"""How many of its latents does an answer need? It is forced behind 0, 1, ... of them.

    found = forced(model, task, examples, run.settings.eval, max_new=40)
    found.accuracy, found.first, found.stable

Behind a prompt and some of the latents stands the word that opens the solution (if the format has one); the
model writes the rest, greedily. Early stopping of latents: Dilgren and Wiegreffe 2026 (arXiv 2604.04902).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tracelab.core.formats import ABSENT
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.sampling import generate
from tracelab.evaluation.judging import trained_model
from tracelab.models.base import Model
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling


@dataclass(frozen=True)
class Forced:
    """Answers to n problems behind k = 0, ..., K latents.

    answers: K + 1 times n rows of tokens, from behind the forced word on; valid: (K + 1, n) bool, is the
    solution?; agrees: (K + 1, n) bool, is the answer the one behind all K?
    """

    answers: tuple[Ragged, ...]
    valid: NDArray[np.bool_]
    agrees: NDArray[np.bool_]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """(K + 1,): the share of valid solutions behind so many latents."""
        share: NDArray[np.float64] = self.valid.mean(axis=1)
        return share

    @property
    def first(self) -> NDArray[np.int64]:
        """(n,): the least number of latents behind which the answer agrees."""
        least: NDArray[np.int64] = self.agrees.argmax(axis=0)
        return least

    @property
    def stable(self) -> NDArray[np.int64]:
        """(n,): the least number from which on it always does."""
        differs = ~self.agrees[::-1]
        agreeing = np.where(differs.any(axis=0), differs.argmax(axis=0), len(differs))  # at the end
        least: NDArray[np.int64] = len(differs) - agreeing
        return least


def forced(model: Model, task: Task, examples: Examples, sampling: Sampling, max_new: int) -> Forced:
    """Answers behind each number of the model's latents (`lead`), judged.

    Of `sampling` the batch size matters.
    """
    prompts, opens = task.prompts(examples), task.codec.markers[1]
    opening = [] if opens == ABSENT else [opens]
    answers, valid = [], []
    for k in range(len(model.lead) + 1):
        written = generate(
            model,
            prompts.joined(_repeated([*model.lead[:k], *opening], len(examples))),
            stop=task.codec.stop,
            max_new=max_new,
            batch_size=sampling.batch_size,
        ).tokens
        whole = _repeated(opening, len(examples)).joined(written)
        answers.append(written)
        valid.append(task.judge(examples, whole).solution_valid)
    agrees = [[np.array_equal(a, b) for a, b in zip(some, answers[-1], strict=True)] for some in answers]
    return Forced(tuple(answers), np.array(valid), np.array(agrees))


def of_run(run: Run, problems: int | None = None) -> Forced:
    """Answers of a run's model to its first test set. problems: of it (None: as in its evaluation).

    ValueError if the model has no latents.
    """
    record, experiment = run.read_json("run.json"), run.settings
    sampling = replace(experiment.eval, problems=problems or experiment.eval.problems)
    tests = sets.test_sets(replace(experiment, eval=sampling), build_task(experiment.task))
    task, examples = next(iter(tests.values()))
    model = trained_model(run, task, sampling.checkpoint, record["context"])
    if not model.lead:
        raise ValueError(f"run={run.folder} has no latents: take a run of trace=latent")
    return forced(model, task, examples, sampling, record["max_new"])


def _repeated(row: list[int], n: int) -> Ragged:
    return Ragged.of([row] * n)
