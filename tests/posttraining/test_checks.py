"""What post-training refuses before anything is sampled."""

import numpy as np
import pytest
import torch

from tests.helpers.runs import KEPT, post_training
from tests.posttraining.test_posttrain import graded, settings
from tracelab.algorithms.expert_iteration import ExpertIteration
from tracelab.core.paths import CONF
from tracelab.posttraining.checks import check_reach
from tracelab.posttraining.experiment import build_rewards, check_parts, posttrain
from tracelab.posttraining.settings import merged
from tracelab.rewards.base import largest, total
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.training.settings import Training

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling")  # of the kept run
REWARDS = sorted(path.stem for path in CONF.glob("reward/*.yaml"))
THREE = ("reward=[solution,trace,form]", "reward.solution.weight=0.6", "reward.trace.weight=0.3")


def asked(*overrides):
    return post_training(f"run={KEPT}", "run_dir=never", *overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("eval.checkpoint=best",), "take eval.checkpoint=last"),
        (("+trainer.accumulate_grad_batches=2",), r"accumulate_grad_batches=2.*updates\.micro_tokens"),
        (("trainer.gradient_clip_val=0.3",), r"has no effect on post-training.*take updates\.clip=0\.3"),
        (
            ("algorithm=expert_iteration", "reward=[form]", "reward.form.weight=0.1"),
            r"algorithm\.threshold=1\.0: a completion earns 0\.1 at most.*take algorithm\.threshold=0\.1",
        ),
        (("algorithm=expert_iteration", "reward=[length]"), "a completion earns 0 at most"),
    ],
)
def test_what_cannot_end_well_is_refused_at_the_start(overrides, message):
    with pytest.raises(ValueError, match=message):
        check_parts(asked(*overrides))


@pytest.mark.filterwarnings("ignore:in 20 rounds no completion had an advantage")
def test_a_budget_that_nothing_uses_ends(tmp_path):
    """No group has an advantage, so that none of those that are counted comes."""
    few = (
        "rollout.prompts=1",
        "rollout.group=4",
        "rollout.max_new=1",
        "held_out.problems=1",
        "eval.problems=1",
    )
    few += ("passes.problems=1", "passes.samples=1", "trainer=cpu", "trainer.precision=32-true", "threads=1")
    silent = ("reward.solution.weight=0", "budget.examples=1", "held_out.every=1000")
    experiment = post_training(f"run={KEPT}", f"run_dir={tmp_path}", *few, *silent)
    with pytest.raises(ValueError, match=r"in 200 rounds there was none.*or take budget\.steps"):
        posttrain(experiment)


def test_what_is_inherited_is_merged_at_any_depth():
    """Of a task's reach one bound is given; null says: as it was. A part of another class keeps nothing."""
    was = {"reach": {"nodes": 20, "cost": 9}, "ood": [1], "size": 5, "inner": {"_target_": "b", "k": 1}}
    given = {"reach": {"nodes": 40}, "ood": [2], "size": None, "inner": {"_target_": "c"}}
    wanted = {"reach": {"nodes": 40, "cost": 9}, "ood": [2], "size": 5, "inner": {"_target_": "c"}}
    assert merged(was, given) == wanted


def test_a_sum_that_is_rounded_down_is_imitated():
    """0.6 + 0.3 + 0.1 is less than 1."""
    experiment = asked("algorithm=expert_iteration", *THREE, "reward.form.weight=0.1")
    check_parts(experiment)
    task = build_task(compose(Training, "train", "task.size=5").task)
    earned = total(build_rewards(experiment), graded(task))
    assert largest(build_rewards(experiment)) == pytest.approx(1)
    assert 0.999 < earned.max() < 1
    imitated = ExpertIteration().advantages(torch.from_numpy(earned)[None])
    assert imitated.sum() == (earned > 0.999).sum() > 0


def test_rewards_keep_within_their_bounds():
    rewards = build_rewards(asked(f"reward=[{','.join(REWARDS)}]"))
    assert list(rewards) == REWARDS
    given = graded(build_task(compose(Training, "train", "task.size=5").task))
    for name, reward in rewards.items():
        values, (low, high) = reward(given), reward.bounds
        assert low <= values.min() <= values.max() <= high, name
    fine = {"length": rewards["length"], "solution": rewards["solution"]}
    assert largest(fine) == fine["solution"].weight


class Unknown:
    weight = 0.1

    def __call__(self, graded):
        return np.full(len(graded.lengths), 30.0)


def test_rewards_that_name_no_bounds_are_let_through():
    check_reach({"mine": Unknown()}, ExpertIteration())


def test_a_folder_without_a_checkpoint(source, tmp_path):
    with pytest.raises(ValueError, match=r"does not hold config\.yaml"):
        posttrain(settings(tmp_path, tmp_path / "out"))
    for name in ("config.yaml", "run.json", "vocab.json", "data_card.json"):
        (tmp_path / name).write_text((source / name).read_text())
    with pytest.raises(ValueError, match="nothing of it is trained yet"):
        posttrain(settings(tmp_path, tmp_path / "out"))
