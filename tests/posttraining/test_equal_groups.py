"""Groups whose completions all have one reward: what each algorithm does with them, and what they move."""

import warnings
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from tracelab.algorithms.base import Algorithm
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn, references
from tracelab.decoding.logprobs import token_figures
from tracelab.optim.muon import MuonAdamW
from tracelab.posttraining.checks import check_group
from tracelab.posttraining.groups import Sampler
from tracelab.posttraining.rollout import Rollout
from tracelab.posttraining.updates import Updater, Updates
from tracelab.rewards.base import Graded
from tracelab.rewards.form import Form
from tracelab.runs.build import build
from tracelab.runs.entry import composed_config

EQUAL = {
    "grpo": "filter",
    "dr_grpo": "filter",
    "gspo": "filter",
    "rloo": "filter",
    "dapo": "resample",
    "reinforce": "keep",
    "expert_iteration": "keep",
}


def algorithm_of(name, **knobs) -> Algorithm:
    config = composed_config("posttrain", f"algorithm={name}", "run=none")
    assert config.rollout.equal is None, "the algorithm decides"
    return build("algorithm", {**OmegaConf.to_container(config.algorithm), **knobs})


@pytest.mark.parametrize("name", EQUAL)
def test_each_algorithm_does_with_them_what_it_is_published_to(name):
    algorithm = algorithm_of(name)
    assert algorithm.equal == EQUAL[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_group(Rollout(prompts=2, group=8), algorithm)
    if algorithm.equal == "keep":
        with pytest.warns(UserWarning, match=r"equal=filter leaves out groups.*from which \w+ learns, too"):
            check_group(Rollout(prompts=2, group=8, equal="filter"), algorithm)


def test_single_completions_are_refused_where_all_of_them_would_be_left_out():
    one = Rollout(prompts=2, group=1)
    check_group(one, algorithm_of("reinforce"))
    with pytest.raises(
        ValueError, match=r"rollout.group=1.*equal=filter leaves out; take rollout.equal=keep"
    ):
        check_group(replace(one, equal="filter"), algorithm_of("reinforce"))
    with pytest.raises(ValueError, match="needs 2 at least"):
        check_group(one, algorithm_of("grpo"))


def rounds(policy, rewards, name="grpo", **knobs):
    """The updater's model, its copy before each call, and what the calls gave: one with rewards that differ,
    then one with these.
    """
    model, task = policy
    model = deepcopy(model)
    sampled = Rollout(prompts=4, group=4, max_new=20, equal="keep")
    rollouts, _ = Sampler(task, {"form": Form()}, sampled, 0)(model, 0.0)
    optimizer = MuonAdamW(model, lr=0.02)
    algorithm = algorithm_of(name, **knobs)
    options = {"reference": deepcopy(model) if algorithm.kl else None, "optimizer": optimizer}
    options |= {"forward": token_figures, "backward": lambda loss: loss.backward()}
    updater = Updater(model, algorithm, Updates(parts=2), **options, max_new=20, temperature=1.0)
    found = []
    for values in (np.tile([0.0, 1.0, 0.0, 1.0], (4, 1)), np.broadcast_to(rewards, (4, 4))):
        before = deepcopy(model.state_dict())
        _, updates, learned = updater(replace(rollouts, rewards=values.astype(np.float64)))
        moved = any(not torch.equal(before[key], value) for key, value in model.state_dict().items())
        found.append((updates, len(learned), moved))
    return found


def test_rewards_that_are_all_equal_move_nothing_along_old_momentum(policy):
    assert rounds(policy, 1.0) == [(2, 4, True), (0, 0, False)]


def test_each_part_of_a_curriculum_has_easy_and_hard_problems(policy):
    """They are in the order of their draw, so that no update is the easier half's."""
    settings = Rollout(prompts=8, group=4, max_new=5, equal="keep", curriculum="optimal_cost")
    examples = Sampler(policy[1], {"form": Form()}, settings, 0)._problems(8, 0.5)
    assert (np.diff(examples.index) > 0).all()
    assert (np.diff(examples.complexity["optimal_cost"]) < 0).any()


def test_rewards_that_differ_by_rounding_are_equal(policy):
    """Of weights 0.3, 0.2 and 0.1: one completion earns the first alone, three the others together."""
    model, task = policy
    rollouts, _ = Sampler(task, {"form": Form()}, Rollout(prompts=2, group=4, max_new=5, equal="keep"), 0)(
        model, 0.0
    )
    rounded = np.array([[0.3, 0.2 + 0.1, 0.2 + 0.1, 0.2 + 0.1], [0.3, 0.2, 0.2, 0.2]])
    assert replace(rollouts, rewards=rounded).equal.tolist() == [True, False]
    assert rounds(policy, rounded[:1])[1] == (0, 0, False)


def test_a_part_without_a_signal_is_no_update(policy):
    """The first two groups' rewards are equal, the last two's differ."""
    mixed = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    assert rounds(policy, mixed)[1] == (1, 2, True)


def test_a_kl_term_acts_where_rewards_do_not(policy):
    assert rounds(policy, 1.0, kl=0.1)[1] == (2, 4, True)


def test_a_kl_term_acts_where_nothing_is_imitated(policy):
    assert rounds(policy, 0.0, "expert_iteration")[1] == (0, 0, False)
    assert rounds(policy, 0.0, "expert_iteration", kl=0.1)[1] == (2, 4, True)


def test_what_all_solve_is_imitated(policy):
    assert rounds(policy, 1.0, "expert_iteration")[1] == (2, 4, True)


def test_a_form_has_a_solution(policy):
    """Not: an end alone, a trace alone, nothing behind the word that opens a solution."""
    _, task = policy
    examples = drawn(task, 0, "train", "problem", 0, 1)
    whole = references(task, examples)[0]
    opens = int(np.flatnonzero(whole == task.codec.token["solution"])[0])
    stop = [task.codec.stop]
    rows = [whole, np.r_[whole[:opens], stop], np.r_[whole[: opens + 1], stop], whole[opens:], np.array(stop)]
    tokens = Ragged.of([row.astype(np.int32) for row in rows])
    some = examples.take(np.zeros(len(rows), np.int64))
    lengths = tokens.lengths
    given = Graded(task.judge(some, tokens), task.levels, lengths, np.zeros(len(rows), bool), lengths)
    assert Form()(given).tolist() == [1, 0, 0, 0, 0]
    assert Form(traces=False)(given).tolist() == [1, 0, 0, 1, 0]
