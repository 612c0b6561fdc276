"""Hints: what they show, what is judged behind them, and how much right answers rely on them."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers.lenient import lenient
from tests.helpers.runs import post_training
from tracelab.algorithms.grpo import GRPO
from tracelab.core import rng
from tracelab.data.frozen import drawn as all_drawn
from tracelab.data.frozen import references
from tracelab.decoding.logprobs import token_figures
from tracelab.decoding.sampling import Stream
from tracelab.posttraining.experiment import check_parts
from tracelab.posttraining.groups import Sampled, Sampler
from tracelab.posttraining.hints import hint_tokens, reliance, weights
from tracelab.posttraining.rollout import Rollout, roll
from tracelab.posttraining.updates import Updater, Updates
from tracelab.rewards.form import Form
from tracelab.rewards.solution import Solution
from tracelab.rewards.trace import Trace


def drawn(task, n):
    return task.generate(rng.keys(0, "train", 0, n, "problem"), "train")


def test_hints_begin_as_the_reference_does(policy):
    _, task = policy
    examples = drawn(task, 10)
    whole = references(task, examples)
    for share in (0.0, 0.4, 1.0):
        for hint, reference in zip(hint_tokens(task, examples, share), whole, strict=True):
            assert hint.tolist() == reference[: len(hint)].tolist()
    longest = hint_tokens(task, examples, 1.0)
    assert [reference[len(hint)] for hint, reference in zip(longest, whole, strict=True)] == [
        task.codec.token["solution"]
    ] * 10


def test_hinted_groups_are_judged_with_their_hints(policy):
    model, task = policy
    examples = drawn(task, 6)
    hints = hint_tokens(task, examples, 1.0)
    sampled = Rollout(prompts=6, group=2, max_new=20)
    rollouts = roll(
        model, task, examples, {"trace": Trace(level="parses")}, sampled, Stream(name="rollout"), hints
    )
    assert rollouts.hinted.tolist() == hints.lengths.tolist()
    assert (rollouts.graded.verdicts.steps >= np.repeat(examples.trace.lengths, 2)).all()
    assert (rollouts.graded.lengths > rollouts.completions.tokens.lengths).all()


@pytest.mark.parametrize("kind", ["solution", "waypoint"])
def test_hints_of_solutions_are_steps_of_theirs_and_are_not_judged(policy, kind):
    model, task = policy
    examples = drawn(task, 6)
    hints = hint_tokens(task, examples, 0.5, kind)
    for hint, solution in zip(hints, examples.solution, strict=True):
        shown = task.codec.read_completion(hint)[1] if kind == "solution" else None
        if shown is None:
            shown = task.codec.decode(task.codec.solution, hint)[0]
            assert shown.tolist() == solution[len(solution) // 2 :][:1].tolist()
        else:
            assert shown.tolist() == solution[: len(solution) // 2].tolist()
    sampled = Rollout(prompts=6, group=2, max_new=20, hint=kind)
    rollouts = roll(model, task, examples, {"solution": Solution()}, sampled, Stream(name="rollout"), hints)
    assert rollouts.hinted.tolist() == hints.lengths.tolist()
    assert (rollouts.graded.lengths == rollouts.completions.tokens.lengths).all()
    alone = task.judge(examples.take(np.repeat(np.arange(6), 2)), rollouts.completions.tokens)
    assert np.array_equal(alone.solution_valid, rollouts.graded.verdicts.solution_valid)


def log_likelihood(model, prompt, completion):
    tokens = torch.from_numpy(np.concatenate([prompt, completion]).astype(np.int64))
    with torch.no_grad():
        distributions = model(tokens[None])[0, len(prompt) - 1 : -1].log_softmax(-1)
    return float(distributions[torch.arange(len(completion)), tokens[len(prompt) :]].mean())


def test_reliance_is_what_right_completions_lose_without_the_hint(policy):
    """Three of eight are said to be right, none of them in the second group."""
    model, task = policy
    examples = drawn(task, 3)
    sampled = Rollout(prompts=3, group=4, max_new=20, hint="solution")
    hints = hint_tokens(task, examples, 0.5, "solution")
    rollouts = roll(model, task, examples, {"solution": Solution()}, sampled, Stream(name="r"), hints)
    right = np.zeros(12, bool)
    right[[0, 3, 9]] = True
    verdicts = replace(rollouts.graded.verdicts, solution_valid=right)
    rollouts = replace(rollouts, graded=replace(rollouts.graded, verdicts=verdicts))
    prompts = model.opened(task.prompts(examples))

    def lost(row):
        completion, start = rollouts.completions.tokens[row], prompts[row // 4]
        with_hint = np.concatenate([start, hints[row // 4]])
        return log_likelihood(model, with_hint, completion) - log_likelihood(model, start, completion)

    relied, read = reliance(model, rollouts)
    rows, written = [0, 3, 9], rollouts.completions.tokens.lengths
    alone = [len(prompts[row // 4]) + written[row] - 1 for row in rows]
    behind = [more + len(hints[row // 4]) for row, more in zip(rows, alone, strict=True)]
    assert sorted(read) == sorted(alone + behind)
    assert relied[[0, 2]] == pytest.approx([(lost(0) + lost(3)) / 2, lost(9)], abs=1e-4)
    assert np.isnan(relied[1])
    assert (weights(relied, None) == 1).all()
    wanted = [np.exp(-max(each, 0.0) / 0.5) for each in (relied[0], 0.0, relied[2])]
    assert weights(relied, 0.5) == pytest.approx(wanted)


def sampler(policy, **knobs):
    """Of hinted groups, some of which are said to be right."""
    sampled = Rollout(**{"prompts": 24, "group": 4, "max_new": 40, "equal": "hint"} | knobs)
    draws = Sampler(lenient(policy[1]), {"solution": Solution()}, sampled, 0)
    draws.cursor.hint = 1.0
    return draws


@pytest.fixture
def measured(monkeypatch):
    """What `reliance` has given to a sampler."""
    found = []

    def measuring(model, rollouts):
        found.append(reliance(model, rollouts))
        return found[-1]

    monkeypatch.setattr("tracelab.posttraining.groups.reliance", measuring)
    return found


def test_it_is_logged_and_weighs_groups(policy, measured):
    rollouts, figures = sampler(policy, hint="solution", reliance=0.1)(policy[0], 0.0)
    assert 0 < figures["hinted_groups_solved"] < 1, "the case is tested"
    assert np.isfinite(figures["hint_reliance"])
    ((relied, _),) = measured
    known = relied[~np.isnan(relied)]
    assert 0 < len(known) < len(relied)
    assert figures["hint_weight"] == pytest.approx(weights(known, 0.1).mean())
    assert ((rollouts.weight == 1) | (rollouts.hinted > 0)).all()
    assert (rollouts.weight < 1).any()
    assert (np.diff(rollouts.examples.index) > 0).all(), "groups are where they were drawn"
    assert (rollouts.hinted[:-1] > rollouts.hinted[1:]).any(), "the case is tested"


def test_hints_leave_room_for_an_answer(policy):
    """Whole traces: groups whose problem, trace and solution are longer than the context have none."""
    model, draws = deepcopy(policy[0]), sampler(policy, prompts=12)
    examples = all_drawn(policy[1], 0, "train", "posttraining", 0, 12)
    prompts, hints = model.opened(policy[1].prompts(examples)), hint_tokens(policy[1], examples, 1.0)
    needed = prompts.lengths + references(policy[1], examples).lengths
    model.context = int(np.median(needed))
    assert (prompts.lengths + hints.lengths).max() >= model.context, "the case is tested"
    rollouts, figures = draws(model, 0.0)
    assert 0 < figures["hints_too_long"] < 1
    hinted = rollouts.examples.index[rollouts.hinted > 0]
    assert len(hinted) > 0
    assert (needed[hinted] <= model.context).all()
    model.context = int(prompts.lengths.max()) + 1
    none = sampler(policy, prompts=12)
    rollouts, figures = none(model, 0.0)
    assert figures["hints_too_long"] == 1
    assert (rollouts.hinted == 0).all()
    assert none.cursor.hint < 1, "shorter ones may fit"


@pytest.mark.parametrize(("hint", "equal"), [("waypoint", "hint"), ("trace", "hint"), ("solution", "filter")])
def test_it_is_of_hints_that_are_judged_alone(policy, hint, equal):
    rollouts, figures = sampler(policy, prompts=12, hint=hint, equal=equal)(policy[0], 0.0)
    assert figures.get("hinted_groups_solved", 0) > 0 or equal != "hint", "the case is tested"
    assert ("hint_reliance" in figures) == ("hint_weight" in figures) == (hint == "waypoint")
    assert (rollouts.weight == 1).all()


def test_what_is_read_to_measure_it_is_counted(policy, measured, monkeypatch):
    rolled = []
    roll_all = Sampler._roll

    def watched(self, *arguments):
        rolled.append(roll_all(self, *arguments))
        return rolled[-1]

    monkeypatch.setattr(Sampler, "_roll", watched)
    draws = sampler(policy, prompts=12, hint="solution")
    draws(policy[0], 0.0)
    plain = Sampled().and_of(rolled[0]).and_of(rolled[1])
    ((_, read),) = measured
    assert draws.sampled.tokens == plain.tokens
    assert draws.sampled.places == plain.places + read.sum() > plain.places
    assert draws.sampled.pairs == plain.pairs + sum(sum(range(1, length + 1)) for length in read)


def test_reliance_on_a_trace_is_refused(source, tmp_path):
    words = f"run={source}", f"run_dir={tmp_path}", "rollout.reliance=1"
    with pytest.raises(ValueError, match=r"rollout\.reliance=1.*take rollout\.hint=solution or waypoint"):
        check_parts(post_training(*words))
    check_parts(post_training(*words, "rollout.hint=waypoint"))


def test_gradients_are_as_large_as_groups_weigh(policy):
    model, task = policy
    model = deepcopy(model)
    sampled = Rollout(prompts=4, group=4, max_new=20, equal="keep")
    rollouts, _ = Sampler(task, {"form": Form(weight=1.0)}, sampled, 0)(model, 0.0)
    nothing = torch.optim.SGD(model.parameters(), lr=0.0)
    updater = Updater(
        model, GRPO(), Updates(clip=1e9), None, nothing, token_figures, lambda loss: loss.backward(), 20, 1.0
    )
    norms = []
    for weight in (1.0, 0.25):
        figures, _, _ = updater(replace(rollouts, weight=np.full(4, weight)))
        norms.append(figures["update/grad_norm"])
    assert norms[0] > 0
    assert norms[1] == pytest.approx(norms[0] / 4, rel=1e-4)
