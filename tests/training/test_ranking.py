"""The loss that ranks valid traces above damaged twins, against loops over single rows; and what it does."""

import numpy as np
import pytest
import torch

from tests.helpers.engine import fit
from tests.helpers.runs import small
from tracelab.batches.loader import Loader
from tracelab.batches.padding import collate
from tracelab.data.frozen import arm, drawn
from tracelab.models.gpt import GPT
from tracelab.optim.muon import MuonAdamW
from tracelab.optim.schedule import Linear
from tracelab.runs.ranking import ranked, twins_of
from tracelab.runs.settings import Loss
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.traces._asking import between_words
from tracelab.traces.base import reference
from tracelab.traces.correct import Correct
from tracelab.training.budget import Budget
from tracelab.training.budgeted import Recipe
from tracelab.training.experiment import build_learner, check_parts
from tracelab.training.learner import Learner
from tracelab.training.ranking import RankingLearner, ranking_loss, row_means, with_next
from tracelab.training.throughput import Throughput

N = 12
TASK = Arithmetic(operations=[2, 5], distractors=1)
EXAMPLES = drawn(TASK, 0, "train", "problem", 0, N)
LOSS = Loss(trace_weight=0.5, solution_weight=1.0, ranking_weight=1.0, ranking_rate=0.3)


def plain(seed=0):
    return GPT(len(TASK.codec.vocabulary), 96, layers=2, width=32, heads=2, mlp=48, seed=seed)


@pytest.fixture(scope="module")
def sequences():
    """Training sequences with their twins."""
    plain_ones, treated = arm(TASK, Correct(), EXAMPLES, 0, "train")
    return ranked(TASK, EXAMPLES, treated, plain_ones, twins_of(LOSS), 0)


def read(model, prompts, traces):
    """(n,) mean log-probability of each trace's tokens, one row at a time."""
    found = []
    for prompt, trace in zip(prompts, traces, strict=True):
        row = torch.from_numpy(np.concatenate([prompt, trace]).astype(np.int64))
        logprobs = model(row[None, :-1]).log_softmax(-1)[0, len(prompt) - 1 :]
        found.append(logprobs.gather(1, row[len(prompt) :, None]).mean())
    return torch.stack(found)


def both(model, batch):
    """Mean log-probabilities of valid traces and of twins, as the learner has them."""
    tokens, at, targets, _ = batch.twins
    logits = (model(t).flatten(0, 1).log_softmax(-1) for t in (batch.tokens, tokens))
    own, theirs = (
        found[places].gather(1, words[:, None])[:, 0]
        for found, places, words in zip(logits, (batch.at, at), (batch.targets, targets), strict=True)
    )
    valid = row_means(own, batch.at, batch.tokens, with_next(batch.trace))
    return valid, row_means(theirs, at, tokens, torch.ones_like(at))


def test_twins_are_the_same_problems_with_damaged_traces(sequences):
    prompts = TASK.prompts(EXAMPLES)
    assert sequences.invalid.all()
    for i, row in enumerate(sequences.twin.tokens):
        own, begin = sequences.tokens[i], sequences.prompt[i]
        assert row[:begin].tolist() == own[:begin].tolist() == prompts[i].tolist()
        assert TASK.codec.words_of(row[begin:]).startswith("reasoning ")
        assert TASK.codec.words_of(own[begin:]).startswith("reasoning ")
        assert row[-1] == own[begin + sequences.trace[i]] == TASK.codec.markers[1]
        assert row[begin:].tolist() != own[begin : begin + sequences.trace[i] + 1].tolist()
    assert sequences.longest >= sequences.twin.tokens.lengths.max()
    some = sequences.take(np.array([3, 1]))
    assert (some.twin.tokens[0] == sequences.twin.tokens[3]).all()


def test_likelihoods_are_those_of_single_rows(sequences):
    model, prompts = plain(), TASK.prompts(EXAMPLES)
    valid, twin = both(model, collate(sequences, 0))
    traces = between_words(TASK, reference(TASK, EXAMPLES))
    torch.testing.assert_close(valid, read(model, prompts, traces), rtol=1e-5, atol=1e-5)
    damaged = sequences.twin.tokens
    twins = damaged.between(sequences.prompt, damaged.lengths - sequences.prompt)
    torch.testing.assert_close(twin, read(model, prompts, twins), rtol=1e-5, atol=1e-5)


def test_the_loss_is_the_papers():
    valid, invalid = torch.tensor([-0.2, -0.9, -0.5]), torch.tensor([True, True, False])
    twin = torch.tensor([-0.7, -0.3, -9.0])
    wanted = torch.log(1 + torch.exp(twin - valid))[:2].mean()
    torch.testing.assert_close(ranking_loss(valid, twin, invalid, None), wanted)
    boundary = torch.log(1 + torch.exp(twin - valid) + torch.exp(valid - 2 * 0.4 - twin))[:2].mean()
    torch.testing.assert_close(ranking_loss(valid, twin, invalid, 0.4), boundary)
    below = torch.tensor([0.4], requires_grad=True)
    at_bound = ranking_loss(torch.zeros(1), -below, torch.tensor([True]), 0.4)
    assert torch.autograd.grad(at_bound, below)[0].abs() < 1e-6, "it is least at the bound"
    assert ranking_loss(valid, twin, torch.zeros(3, dtype=torch.bool), 0.4) == 0


@pytest.mark.parametrize("bound", [None, 0.5])
def test_valid_traces_become_likelier_than_their_twins(sequences, bound):
    """By the ranking alone; with a bound they stay near it, without one they go on."""
    model, batch = plain(), collate(sequences, 0)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(40):
        valid, twin = both(model, batch)
        optimizer.zero_grad()
        ranking_loss(valid, twin, batch.twins.invalid, bound).backward()
        optimizer.step()
    apart = (valid - twin).detach()
    assert (apart > 0.1).all()
    assert (apart.mean() < 0.8) == (bound is not None)


def test_the_learners_loss_is_both(sequences, tmp_path):
    """Off, the learner, its batches and its loss are those of before."""
    off, on = (small(tmp_path, *words) for words in ((), ("loss.ranking_weight=2", "loss.ranking_bound=0.5")))
    model, batch = plain(), collate(sequences, 0)
    learners = [build_learner(experiment, model) for experiment in (off, on)]
    assert [type(learner) for learner in learners] == [Learner, RankingLearner]
    learners[1]._at_log_step = lambda: False
    assert collate(arm(TASK, Correct(), EXAMPLES, 0, "train")[0], 0).twins is None
    plain_loss, both_losses = (learner.loss(batch)[0] for learner in learners)
    valid, twin = both(model, batch)
    wanted = plain_loss + 2 * ranking_loss(valid, twin, batch.twins.invalid, 0.5)
    torch.testing.assert_close(both_losses, wanted)
    torch.testing.assert_close(learners[1].loss(batch._replace(twins=None))[0], plain_loss)


def test_nothing_is_right_where_nothing_is_ranked(sequences, tmp_path):
    """Of a batch whose twins are all valid no share is known; its loss is that of the learner."""
    learner = build_learner(small(tmp_path, "loss.ranking_weight=2"), plain())
    batch = collate(sequences, 0)
    none = batch._replace(twins=batch.twins._replace(invalid=torch.zeros_like(batch.twins.invalid)))
    torch.testing.assert_close(learner.loss(none)[0], learner.loss(batch._replace(twins=None))[0])
    learner.loss(none)
    assert learner.others["ranked_right"].isnan()
    assert learner.others["ranking_loss"] == 0


def test_twins_are_counted_as_read(sequences):
    """In FLOPs and mfu, not in tokens; counted token by token, over one pass."""
    seen = [
        k for rows in (sequences.tokens, sequences.twin.tokens) for row in rows for k in range(1, len(row))
    ]
    model = plain()
    wanted = model.flops(len(seen), sum(seen))
    learner = RankingLearner(model, Recipe(MuonAdamW, Linear(), Budget(examples=N)), LOSS)
    fit(learner, Loader(lambda k: sequences, batch_tokens=256, context=96), limit_val_batches=0)
    assert learner.progress.steps > 1
    assert learner.progress.tokens == len(sequences.tokens.values)
    assert learner.progress.flops == pytest.approx(wanted, rel=1e-12)
    through = Throughput(peak=1e9)
    through.add(collate(sequences, 0).counts, 1 / 60)
    assert through.figures(model, waited=0.0)["mfu"] == pytest.approx(wanted / 1e9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trace=swapped"], "not all of trace=swapped are valid"),
        (["data.packing=512"], r"data\.packing=null"),
        (["task.format=searchformer"], "no words that open trace and solution"),
        (["loss.ranking_kind=typo"], r"loss\.ranking_kind='typo' is unknown"),
        (["loss.ranking_rate=0"], r"loss\.ranking_rate=0"),
    ],
)
def test_what_cannot_be_ranked_is_refused(words, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        check_parts(small(tmp_path, "loss.ranking_weight=1", *words))


@pytest.mark.parametrize(
    ("word", "weight"),
    [
        ("loss.ranking_bound=0.5", "ranking_weight"),
        ("loss.ranking_rate=0.3", "ranking_weight"),
        ("loss.ranking_kind=order", "ranking_weight"),
        ("loss.teacher_weight=3", "distillation_weight"),
    ],
)
def test_a_knob_without_its_weight_is_refused(word, weight, tmp_path):
    """Else an arm would be called by what it does not do."""
    for words in ((word,), (word, f"loss.{weight}=0")):
        knob = word.partition("=")[0]
        with pytest.raises(ValueError, match=rf"^{knob} has no effect without loss\.{weight}"):
            check_parts(small(tmp_path, "trace=latent" if "teacher" in word else "trace=correct", *words))
