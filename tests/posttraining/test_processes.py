"""Two processes post-train the run that one process does, by each algorithm; broken off and resumed."""

import csv
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.engine import TRAINER
from tests.helpers.lenient import lenient
from tests.training.test_processes import assert_same_weights
from tracelab.core import rng
from tracelab.loggers import CSV
from tracelab.models.gpt import GPT
from tracelab.optim.schedule import Linear
from tracelab.posttraining.groups import Sampled, Sampler
from tracelab.posttraining.learner import PostLearner, Rounds
from tracelab.posttraining.rollout import Rollout
from tracelab.posttraining.updates import Updates
from tracelab.rewards.solution import Solution
from tracelab.runs.build import build, build_task
from tracelab.runs.checkpoints import load_progress, load_updates
from tracelab.runs.entry import compose, composed_config
from tracelab.runs.settings import Sampling
from tracelab.training.budget import Budget
from tracelab.training.budgeted import Recipe
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.processes import own_environment, together
from tracelab.training.settings import Training
from tracelab.training.validation import HeldOut

ROUNDS = 2
HINTED = {"equal": "hint", "hint": "solution", "reliance": 0.1}
# an odd number of groups, shared unequally; of one group, of which one process has none
CASES = {
    "grpo": {**HINTED, "kl": 0.1, "entropy": 0.01, "passes": 2},
    "dr_grpo": {"equal": "keep", "prompts": 1, "group": 5},
    "dapo": {"equal": "resample"},
    "gspo": {"equal": "filter", "passes": 2},
    "rloo": {"equal": "filter", "truncated": "mask"},
    "reinforce": {"equal": "keep", "group": 1, "prompts": 11},
    "expert_iteration": {"equal": "keep", "truncated": "mask"},
}
ROLLOUT = ("equal", "prompts", "group", "hint", "reliance")
ALGORITHM = ("kl", "entropy")
# how long something took, and what is rounding itself
LEFT_OUT = {"rollout/seconds", "update/seconds", "val/seconds", "train/minutes", "update/sampler_difference"}


class Lengths:
    """Rewards that a model without any training earns, some of which are 1."""

    weight = 1.0

    def __call__(self, graded):
        return graded.lengths % 4 / 3


class Crash(lightning.Callback):
    """Before the last round."""

    def on_train_batch_start(self, trainer, module, *_):
        if module.progress.steps == ROUNDS - 1:
            raise RuntimeError("crash")


class Stopping(GPT):
    """A model that stops after some ten tokens, without any training."""

    def __init__(self, codec, seed):
        super().__init__(len(codec.vocabulary), 128, layers=2, width=32, heads=4, mlp=48, seed=seed)
        self.register_buffer("likes", 3.0 * (torch.arange(len(codec.vocabulary)) == codec.stop))

    def logits(self, hidden):
        return super().logits(hidden) + self.likes


def knobs_of(case, names):
    return {name: case[name] for name in case if name in names}


def post_learner(name):
    """A small model of mazes without training, and one of the seven algorithms."""
    case = CASES[name]
    task = lenient(build_task(compose(Training, "train", "task.size=4").task))
    part = OmegaConf.to_container(composed_config("posttrain", f"algorithm={name}", "run=none").algorithm)
    algorithm = build("algorithm", part | knobs_of(case, ALGORITHM))
    rollout = Rollout(**{"prompts": 5, "group": 4, "max_new": 20} | knobs_of(case, ROLLOUT))
    held_out = task.generate(rng.keys(0, "val", 0, 5, "problem"), "val")
    return PostLearner(
        Stopping(task.codec, seed=0),
        Recipe(lambda model: torch.optim.SGD(model.parameters(), lr=0.1), Linear(), Budget(steps=ROUNDS)),
        algorithm,
        Sampler(task, {"reward": Solution() if rollout.equal == "hint" else Lengths()}, rollout, seed=0),
        Updates(parts=2, micro_tokens=256, **knobs_of(case, ("passes", "truncated"))),
        HeldOut.of(Sampling(problems=5), task, held_out, max_new=20),
        every=2,
        reference=Stopping(task.codec, seed=1) if algorithm.kl else None,
    )


def run(folder, name, *callbacks, resume=None, **options):
    """Post-train, with checkpoints and a log in a folder."""
    folder.mkdir(exist_ok=True)
    logged = {"logger": CSV(folder / "metrics.csv"), "callbacks": [*callbacks, Checkpoints(folder, every=1)]}
    trainer = lightning.Trainer(**TRAINER | logged | options, limit_val_batches=0)
    trainer.fit(post_learner(name), Rounds(), ckpt_path=resume, weights_only=True)


def take_part(folder):
    """What each of two processes does: every run, crashing after a round and resumed."""
    shared = {"devices": 2, "strategy": "ddp"}
    for name in CASES:
        place = folder / f"shared-{name}"
        with pytest.raises(RuntimeError, match="crash"):
            run(place, name, Crash(), plugins=own_environment(), **shared)
        run(place, name, resume=place / "last.ckpt", plugins=own_environment(), **shared)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of all runs: alone-grpo, shared-grpo, ..."""
    folder = tmp_path_factory.mktemp("runs")
    for name in CASES:
        run(folder / f"alone-{name}", name)
    together(2, take_part, folder)
    return folder


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", CASES)
def test_rewards_norms_and_weights_are_those_of_one_process(folder, name):
    alone, shared = folder / f"alone-{name}", folder / f"shared-{name}"
    a, b = rows(alone / "metrics.csv"), rows(shared / "metrics.csv")
    assert [row["step"] for row in a] == [row["step"] for row in b] == ["0", "1", "2"]
    for one, two in zip(a, b, strict=True):
        for figure in one.keys() - LEFT_OUT:
            assert bool(one[figure]) == bool(two[figure]), figure
            if one[figure]:
                close = pytest.approx(float(two[figure]), rel=1e-4, abs=1e-7)
                assert float(one[figure]) == close, (one["step"], figure)
    assert_same_weights(alone / "last.ckpt", shared / "last.ckpt", rtol=1e-4, atol=1e-6)
    assert np.any([float(row["update/grad_norm"] or 0) > 0 for row in a]), "the case is tested"
    if CASES[name]["equal"] == "hint":
        weights = [float(row["rollout/hint_weight"]) for row in a if row.get("rollout/hint_weight")]
        assert min(weights) < 1, "some are right behind hints"


def test_flops_are_of_what_updates_are_made_of(tmp_path, monkeypatch):
    """Nothing of the first of two parts is imitated. Old probabilities are a pass forward."""
    sampled, draw = [], Sampler.__call__

    def watched(self, *arguments):
        rollouts, figures = draw(self, *arguments)
        rewards = np.ones_like(rollouts.rewards)
        rewards[: (len(rewards) + 1) // 2] = 0.0
        sampled.append((self.sampled, replace(rollouts, rewards=rewards)))
        return sampled[-1][1], figures

    monkeypatch.setattr(Sampler, "__call__", watched)
    run(tmp_path, "expert_iteration")
    assert len(sampled) == ROUNDS
    model, wanted, groups = post_learner("expert_iteration").model, 0.0, 0
    for read, rollouts in sampled:
        half = (len(rollouts) + 1) // 2
        learned = Sampled()
        for i in range(half, len(rollouts)):
            rows = rollouts.completions.tokens.lengths[4 * i : 4 * i + 4]
            learned = learned.and_read(rows + len(rollouts.prompts[i]) - 1)
            groups += 1
        wanted += model.flops(read.places, read.pairs) / 3
        wanted += 4 / 3 * model.flops(learned.places, learned.pairs)
    progress = load_progress(tmp_path / "last.ckpt")
    assert progress["flops"] == pytest.approx(wanted, rel=1e-12)
    assert progress["examples"] == groups > 0


@pytest.mark.parametrize("name", CASES)
def test_what_is_counted_is_of_all_processes(folder, name):
    alone, shared = (folder / f"{way}-{name}" / "last.ckpt" for way in ("alone", "shared"))
    assert {**load_progress(alone), "minutes": 0} == {**load_progress(shared), "minutes": 0}
    assert load_updates(alone) == load_updates(shared)
