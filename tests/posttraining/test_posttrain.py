"""Post-training: probabilities, groups, rounds, resuming, what is refused; on small runs."""

import csv
import json
import shutil
import warnings

import numpy as np
import pytest
import torch

from tests.helpers.runs import figures_saved, post_training
from tracelab.algorithms.base import Algorithm
from tracelab.algorithms.grpo import GRPO
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.posttraining import experiment as experiments
from tracelab.posttraining import passes
from tracelab.posttraining.experiment import posttrain
from tracelab.posttraining.groups import Rollout, Sampler
from tracelab.rewards.base import Graded, total
from tracelab.rewards.form import Form
from tracelab.rewards.length import Length
from tracelab.rewards.solution import Solution
from tracelab.rewards.trace import Trace
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.runs.tables import print_trained
from tracelab.training.settings import Training

SMALL = (
    "trainer=cpu",
    "trainer.precision=32-true",
    "rollout.prompts=6",
    "rollout.group=4",
    "rollout.max_new=40",
    "rollout.equal=keep",
    "held_out.problems=16",
    "held_out.every=4",
    "passes.problems=8",
    "passes.samples=4",
    "eval.problems=12",
    "checkpoint_every=2",
    "budget.steps=4",
    "threads=1",
    "reward=[length]",  # which completions of a model of a few steps earn differently
)


def settings(source, folder, *overrides):
    return post_training(*SMALL, f"run={source}", f"run_dir={folder}", *overrides)


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --- rewards ------------------------------------------------------------------------------------


def graded(task, n=12):
    """Reference completions; every third is cut short, every fourth has a wrong cost."""
    examples = task.generate(rng.keys(0, "train", 0, n, "problem"), "train")
    rows = [row.copy() for row in references(task, examples)]
    for i in range(0, n, 3):
        rows[i] = rows[i][:-1]
    for i in range(0, n, 4):
        at = 4 + 5 * (len(rows[i]) // 20)
        rows[i][at] = task.codec.token["c24"]
    tokens = Ragged.of(rows)
    lengths = references(task, examples).lengths
    return Graded(task.judge(examples, tokens), task.levels, tokens.lengths, np.arange(n) % 3 == 0, lengths)


class NotANumber:
    weight = 1.0

    def __call__(self, graded):
        return np.full(len(graded.lengths), np.nan)


def test_rewards():
    task = build_task(compose(Training, "train", "task.size=5").task)
    given = graded(task)
    verdicts = given.verdicts
    assert Solution()(given).tolist() == verdicts.solution_valid.tolist()
    assert Solution(optimal=True)(given).tolist() == verdicts.solution_optimal.tolist()
    strict = verdicts.trace_ok[:, given.levels.index("strict")]
    assert Trace()(given).tolist() == strict.tolist()
    process = Trace(process=True, level="local")(given)
    assert (process[strict] == 1).all()
    assert ((process >= 0) & (process <= 1)).all()
    assert len(set(process.tolist())) > 2
    assert Form()(given)[0] == 0
    assert set(Length(free=1.0, cap=0.5)(given).tolist()) == {-0.5, 0.0}
    both = total({"a": Solution(weight=2.0), "b": Trace(weight=0.5)}, given)
    assert both.tolist() == (2.0 * verdicts.solution_valid + 0.5 * strict).tolist()
    with pytest.raises(ValueError, match=r"level='nice'.*strict"):
        Trace(level="nice")(given)
    with pytest.raises(ValueError, match=r"reward\.a gave a value that is not finite"):
        total({"a": NotANumber()}, given)


# --- groups -------------------------------------------------------------------------------------


def sampler(task, **changes):
    options = {"prompts": 8, "group": 4, "max_new": 40, "equal": "keep"} | changes
    return Sampler(task, {"form": Form(weight=1.0)}, Rollout(**options), seed=0)


def test_what_is_done_with_equal_groups(policy):
    model, task = policy
    kept, figures = sampler(task)(model, 0.0)
    filtered, _ = sampler(task, equal="filter")(model, 0.0)
    resampled, _ = sampler(task, equal="resample", rounds=20)(model, 0.0)
    assert len(kept) == 8
    assert 0 < kept.equal.sum() < 8, "the case is tested"
    assert figures["equal_groups"] == kept.equal.mean()
    assert not filtered.equal.any()
    assert filtered.rewards.tolist() == kept.rewards[~kept.equal].tolist()
    assert len(resampled) == 8
    assert not resampled.equal.any()


def test_all_that_is_sampled_is_counted(policy):
    """Learned from or not; a group's prompt is read once. Counted token by token."""
    model, task = policy
    keeps, filters = sampler(task), sampler(task, equal="filter")
    (rollouts, _), _ = keeps(model, 0.0), filters(model, 0.0)
    seen = []
    for i, prompt in enumerate(rollouts.prompts):
        written = rollouts.completions.tokens.lengths[4 * i : 4 * i + 4]
        seen += [*range(1, len(prompt) + 1), *(len(prompt) + k for n in written for k in range(1, n))]
    assert keeps.sampled == (rollouts.completions.tokens.lengths.sum(), len(seen), sum(seen))
    assert filters.sampled == keeps.sampled


def test_rollouts_are_told_apart_from_their_neighbours(policy):
    model, task = policy
    rollouts, _ = sampler(task)(model, 0.0)
    for i in (0, 3, 7):
        one = rollouts.take(np.array([i]))
        assert one.prompts[0].tolist() == rollouts.prompts[i].tolist()
        for j in range(4):
            assert one.completions.tokens[j].tolist() == rollouts.completions.tokens[4 * i + j].tolist()
        verdicts = task.judge(one.examples.take(np.zeros(4, int)), one.completions.tokens)
        assert verdicts.solution_valid.tolist() == one.solved[0].tolist()


def test_streams_never_repeat_and_can_be_resumed(policy):
    model, task = policy
    first = sampler(task)
    a, _ = first(model, 0.0)
    state = first.state_dict()
    b, _ = first(model, 0.0)
    other = sampler(task)
    other.load_state_dict(state)
    again, _ = other(model, 0.0)
    assert again.completions.tokens.values.tolist() == b.completions.tokens.values.tolist()
    assert not set(a.examples.index.tolist()) & set(b.examples.index.tolist())


def test_a_curriculum_goes_from_easy_to_hard(policy):
    model, task = policy
    costs = []
    for used in (0.0, 0.5, 1.0):
        rollouts, _ = sampler(task, curriculum="optimal_cost")(model, used)
        costs.append(rollouts.examples.complexity["optimal_cost"].mean())
    assert costs == sorted(costs)
    assert costs[0] < costs[2]
    with pytest.raises(ValueError, match=r"curriculum=beauty.*optimal_cost"):
        sampler(task, curriculum="beauty")


def test_the_hint_adapts(policy):
    model, task = policy
    draws = Sampler(task, {"solution": Solution()}, Rollout(prompts=8, group=2, max_new=40, equal="hint"), 0)
    shares = [draws.cursor.hint]
    for _ in range(4):
        _, figures = draws(model, 0.0)
        shares.append(draws.cursor.hint)
        if figures["hinted_groups"]:
            longer = figures["hinted_groups_solved"] < 0.5
            assert (shares[-1] > shares[-2]) == longer
    assert len(set(shares)) > 1


@pytest.mark.parametrize(
    "knobs", [{"equal": "drop"}, {"prompts": 0}, {"group": 0}, {"temperature": 0.0}, {"rounds": 0}]
)
def test_bad_settings(source, knobs):
    ((name, value),) = knobs.items()
    with pytest.raises(ValueError, match=rf"rollout\.{name}={value}: it should be"):
        settings(source, source / "never", f"rollout.{name}={value}")


# --- whole runs ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    with figures_saved():
        return posttrain(settings(source, folder)), folder


def test_a_run_from_folder_to_figures(whole):
    trained, folder = whole
    assert trained.metrics["wilson"]["solution_valid"]["n"] == 12
    measured = json.loads((folder / "passes_after.json").read_text())
    assert {"pass@1", "pass@2", "pass@4", "maj@4"} <= measured.keys()
    assert all((folder / "figures" / f"{name}.png").is_file() for name in ("post_training", "pass_at_k"))
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "evaluated"
    assert record["progress"]["steps"] == 4
    assert record["updates"] > 0
    assert record["warning"] is None
    rows = rows_of(folder)
    assert [row["step"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [bool(row["val/solution_valid"]) for row in rows] == [True, False, False, False, True]
    for level in ("parses", "local", "strict", "paper"):
        assert all(row[f"rollout/trace_{level}"] for row in rows[1:])
        assert all(row[f"val/trace_{level}"] for row in (rows[0], rows[-1]))
    assert {rows[k]["val/problems"] for k in (0, -1)} == {"16"}
    assert float(rows[-1]["train/tokens"]) == record["progress"]["tokens"]
    assert float(rows[-1]["train/flops"]) == record["progress"]["flops"] > 0
    for figure in ("reward", "equal_groups", "tokens", "truncated", "seconds"):
        assert all(row[f"rollout/{figure}"] for row in rows[1:])
    for figure in ("clip_share", "entropy", "grad_norm", "seconds"):
        assert all(row[f"update/{figure}"] for row in rows[1:])


def test_a_finished_run_is_not_post_trained_again(whole, source):
    trained, folder = whole
    again = posttrain(settings(source, folder))
    assert (trained.state, again.state) == ("finished", "skipped")
    assert again.metrics["wilson"]["solution_valid"] == trained.metrics["wilson"]["solution_valid"]


def test_the_weights_change_and_the_source_does_not(whole, source):
    before = load_weights(source / "checkpoints" / "last.ckpt")
    after = load_weights(whole[1] / "checkpoints" / "last.ckpt")
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


IGNORED = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch, of its own parts
COMPILED = pytest.param(2, ("compile=true",), marks=(pytest.mark.slow, IGNORED))


@pytest.mark.parametrize(("parts", "more"), [(1, ()), (2, ()), COMPILED])
def test_the_ratio_is_one_at_the_first_update_only(source, tmp_path, monkeypatch, parts, more):
    ratios = []

    loss = GRPO.loss

    def watched(self, batch):
        ratios.append((batch.logprobs - batch.old)[batch.mask].exp().detach())
        return loss(self, batch)

    monkeypatch.setattr(GRPO, "loss", watched)
    overrides = ("updates.passes=2", f"updates.parts={parts}", "updates.micro_tokens=100000")
    posttrain(settings(source, tmp_path, "budget.steps=1", *overrides, *more))
    assert len(ratios) == 2 * parts
    assert not (ratios[1] == 1).all(), "the second part is off-policy too"
    assert (ratios[0] == 1).all()
    assert not (ratios[-1] == 1).all()


def test_sampler_and_trainer_agree(source, tmp_path):
    words = ("budget.steps=1", "rollout.temperature=0.7")
    posttrain(settings(source, tmp_path / "exact", *words))
    assert float(rows_of(tmp_path / "exact")[1]["update/sampler_difference"]) < 1e-5
    posttrain(settings(source, tmp_path / "rough", *words, "trainer.precision=bf16-mixed"))
    assert 1e-5 < float(rows_of(tmp_path / "rough")[1]["update/sampler_difference"]) < 0.05


@pytest.mark.parametrize("overrides", [(), ("algorithm.kl=0.1", "updates.passes=2", "rollout.equal=hint")])
def test_resume_continues_bit_for_bit(source, tmp_path, overrides):
    posttrain(settings(source, tmp_path / "whole", *overrides))
    for steps in (2, 4):
        run = settings(source, tmp_path / "parts", *overrides)
        if steps == 2:
            monkey = pytest.MonkeyPatch()
            monkey.setattr("tracelab.posttraining.learner.PostLearner.stop_if_used", stop_at(2))
            with pytest.raises(RuntimeError, match="crash"):
                posttrain(run)
            monkey.undo()
        else:
            assert posttrain(run).state == "resumed"
    a, b = (load_weights(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("whole", "parts"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    drop = {"rollout/seconds", "update/seconds", "val/seconds", "train/minutes"}
    left, right = (
        [{k: v for k, v in row.items() if k not in drop} for row in rows_of(tmp_path / name)]
        for name in ("whole", "parts")
    )
    assert left == right
    hinted = [float(row["rollout/hinted_groups"]) for row in left[1:] if "rollout.equal=hint" in overrides]
    assert any(hinted) == bool(overrides), "the case is tested"


@pytest.fixture
def moving(source, tmp_path):
    """A copy of the source, and what makes it another: trained for a step more, and judged at more length."""
    run = Run(tmp_path / "source", Run.open(source).config)
    shutil.copytree(source, run.folder)

    def move():
        content = torch.load(run.checkpoint(), weights_only=True)
        content["progress"]["steps"] += 1
        content["state_dict"] = {name: weight * 1.1 for name, weight in content["state_dict"].items()}
        torch.save(content, run.checkpoint())
        run.write_json("run.json", {**run.read_json("run.json"), "max_new": 99})

    return run, move


def test_a_resumed_post_training_refuses_another_reference(moving, tmp_path):
    """The KL divergence is from its source as it was; without one the source is not read any more."""
    run, move = moving
    for name, kl in (("with", "algorithm.kl=0.1"), ("without", "algorithm.kl=0")):
        posttrain(settings(run.folder, tmp_path / name, kl, "budget.steps=1"))
    before = (tmp_path / "without" / "passes_before.json").read_text()
    noted = Run.open(tmp_path / "without").read_json("run.json")
    move()
    wanted = r"with began with .*source at step 200, which is at step 201 now"
    with pytest.raises(ValueError, match=wanted):
        posttrain(settings(run.folder, tmp_path / "with", "algorithm.kl=0.1", "budget.steps=2"))
    assert Run.open(tmp_path / "with").read_json("run.json")["status"] == "evaluated", "it is as it was"
    ended = ("algorithm.kl=0.1", "budget.steps=1", "eval.problems=3")  # no round is left that would need it
    with pytest.warns(UserWarning, match="pass@k before is of other problems"):
        assert posttrain(settings(run.folder, tmp_path / "with", *ended)).metrics is not None
    done = posttrain(settings(run.folder, tmp_path / "without", "algorithm.kl=0", "budget.steps=2"))
    record = done.run.read_json("run.json")
    assert record["progress"]["steps"] == 2
    same = ("began", "max_new", "context", "parameters", "ancestors")
    assert {name: record[name] for name in same} == {name: noted[name] for name in same}
    assert (tmp_path / "without" / "passes_before.json").read_text() == before


def test_a_source_that_goes_on_while_it_is_sampled_is_noticed(moving, tmp_path, monkeypatch):
    run, move = moving
    monkeypatch.setattr(experiments, "build_passes", lambda *parts: lambda *of: move() or {})
    with pytest.raises(ValueError, match=r"trained on while it was asked \(from step 200 to 201\)"):
        posttrain(settings(run.folder, tmp_path / "after", "budget.steps=1"))
    assert not (tmp_path / "after" / "passes_before.json").exists()


def test_pass_at_k_before_is_of_what_was_begun_with(moving, tmp_path):
    """A start that came to no checkpoint is begun anew, from the source as it is then."""
    run, move = moving
    folder = tmp_path / "after"
    posttrain(settings(run.folder, folder, "budget.steps=1"))
    (folder / "passes_before.json").unlink()
    move()
    with pytest.raises(ValueError, match=r"source at step 200, which is at step 201 now"):
        posttrain(settings(run.folder, folder, "budget.steps=2"))
    (folder / "passes_before.json").write_text('{"of": "another model"}')
    (folder / "checkpoints" / "last.ckpt").unlink()
    done = posttrain(settings(run.folder, folder, "budget.steps=2")).run
    assert done.read_json("run.json")["began"]["steps"] == 201
    assert "pass@1" in done.read_json("passes_before.json")


def test_pass_at_k_that_was_not_measured_is_asked_for_again(whole, source, tmp_path, monkeypatch):
    """Ctrl-C while it is measured: what an earlier budget left there is not taken for it."""
    folder = tmp_path / "run"
    shutil.copytree(whole[1], folder)
    measure = passes.written_by

    def told(of, *arguments):
        if of.folder == folder:
            raise KeyboardInterrupt
        return measure(of, *arguments)

    monkeypatch.setattr(passes, "written_by", told)
    with pytest.raises(KeyboardInterrupt):
        posttrain(settings(source, folder, "budget.steps=5"))
    assert not (folder / "passes_after.json").exists()
    monkeypatch.undo()
    assert posttrain(settings(source, folder, "budget.steps=5")).state == "resumed"
    assert (folder / "passes_after.json").is_file()
    assert posttrain(settings(source, folder, "budget.steps=5")).state == "skipped"


SUMS = ("dr_grpo", "rloo", "reinforce")


def stop_at(step):
    """A crash after a round's checkpoint, in the round that follows."""

    def check(self):
        if self.progress.steps == step + 1:
            raise RuntimeError("crash")

    return check


@pytest.mark.parametrize(
    "algorithm", ["grpo", "dr_grpo", "dapo", "gspo", "rloo", "reinforce", "expert_iteration"]
)
def test_every_algorithm_runs(source, tmp_path, monkeypatch, algorithm):
    """Twice on three groups of four. A sum is divided by twelve times the 40 tokens that there may be."""
    seen, loss = [], Algorithm.loss

    def watched(self, batch):
        seen.append((self, batch))
        return loss(self, batch)

    monkeypatch.setattr(Algorithm, "loss", watched)
    overrides = (f"algorithm={algorithm}", "budget.steps=1", "passes.samples=1", "reward.length.weight=-1")
    posttrain(settings(source, tmp_path, *overrides))
    assert float(rows_of(tmp_path)[1]["update/grad_norm"]) > 0
    for which, batch in seen:
        wanted = batch.mask / (12 * 40)
        assert which.per != "constant" or torch.allclose(batch.weights, wanted, rtol=1e-6, atol=0)
    assert any(which.per == "constant" for which, _ in seen) == (algorithm in SUMS)


def test_rounds_without_a_signal(source, tmp_path, capsys):
    """Constant rewards: no step is taken, and after a while a warning names the remedy."""
    overrides = ("reward.length.weight=0", "rollout.equal=filter", "budget.steps=21", "rollout.prompts=1")
    with pytest.warns(UserWarning, match=r"no completion had an advantage.*rollout\.equal=hint") as warned:
        done = posttrain(settings(source, tmp_path, *overrides, "rollout.max_new=2", "held_out.every=100"))
    said = (str(warning.message) for warning in warned)
    along, at_the_end = (text for text in said if "nothing was learned" in text)
    assert along.startswith("in 20 rounds")
    assert at_the_end.startswith("no update was made")
    record = done.run.read_json("run.json")
    assert (record["updates"], record["warning"]) == (0, at_the_end)
    print_trained(done)
    assert at_the_end in capsys.readouterr().err
    before, after = (load_weights(f / "checkpoints" / "last.ckpt") for f in (source, tmp_path))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_small_groups_are_warned_of(source, tmp_path):
    with pytest.warns(UserWarning, match="32% of such small groups say anything"):
        posttrain(settings(source, tmp_path, "rollout.group=2", "budget.steps=1"))


@pytest.mark.filterwarnings("ignore:no update was made")
def test_masked_completions_take_no_part(source, tmp_path):
    """All are cut off: nothing counts, so no step is taken."""
    overrides = ("updates.truncated=mask", "rollout.max_new=2", "budget.steps=2")
    posttrain(settings(source, tmp_path, *overrides))
    before, after = (load_weights(f / "checkpoints" / "last.ckpt") for f in (source, tmp_path))
    assert all(torch.equal(before[name], after[name]) for name in before)


DIVERGES = (
    "optim.optimizer.lr=100",
    "algorithm.kl=0.1",  # acts where all rewards are equal
    "optim.optimizer.weight_decay=100",
    "budget.steps=20",
    "rollout.equal=keep",
)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("rollout.group=1",), r"rollout\.group=1.*needs 2"),
        (("+task.size=9",), "another vocabulary"),
        (("updates.truncated=drop",), r"updates\.truncated=drop"),
        (("updates.passes=0",), r"updates\.passes=0"),
        (("trainer=fsdp",), "take trainer=ddp"),
        (DIVERGES, "the gradient's norm is nan"),
    ],
)
def test_what_is_refused(source, tmp_path, overrides, message):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
        posttrain(settings(source, tmp_path, *overrides))
