"""Answers forced after some of a model's latents: of models that do not look at them, and that do."""

import numpy as np
import pytest
import torch

from tracelab.core.types import Task
from tracelab.data.frozen import drawn
from tracelab.models.gpt import GPT
from tracelab.models.latent import FEEDS, thinking
from tracelab.probes.latents import Forced, forced
from tracelab.runs.settings import Sampling
from tracelab.tasks.maze import Maze

TASK: Task = Maze(size=5, ood=[])
EXAMPLES = drawn(TASK, 0, "test", "problem", 0, 6)
K = 3


def answered(feedback, looks):
    """looks: does attention write anything? If not, a place sees itself alone."""
    model = GPT(len(TASK.codec.vocabulary), 96, layers=2, width=32, heads=2, mlp=48)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
            p.mul_(float(looks or not name.endswith("out.weight")))
    return forced(thinking(model, K, feedback, 0.5, seed=0).eval(), TASK, EXAMPLES, Sampling(problems=6), 8)


def test_a_model_that_ignores_latents_answers_the_same_after_any_of_them_whatever_they_are():
    found = [answered(feedback, looks=False) for feedback in FEEDS]
    for one in found:
        assert all((answers.values == found[0].answers[0].values).all() for answers in one.answers)
        assert one.agrees.all()
        assert not one.first.any()
        assert not one.stable.any()
        assert (one.accuracy == one.accuracy[0]).all()


def test_one_that_looks_at_them_does_not():
    found = answered("recycled", looks=True)
    assert found.agrees[K].all()
    assert not found.agrees[0].all()


@pytest.mark.parametrize(
    ("agrees", "first", "stable"),
    [([0, 0, 0, 1], 3, 3), ([0, 1, 0, 1], 1, 3), ([1, 1, 1, 1], 0, 0), ([1, 0, 1, 1], 0, 2)],
)
def test_first_and_stable_agreement(agrees, first, stable):
    column = np.array(agrees, bool)[:, None]
    found = Forced((), column, column)
    assert (found.first.item(), found.stable.item()) == (first, stable)
    assert found.accuracy.tolist() == agrees
