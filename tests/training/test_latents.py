"""Losses of latents against loops over single rows, which no batch and no padding touches."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, smooth_l1_loss

from tests.helpers.runs import small
from tracelab.batches.padding import collate, count
from tracelab.core.types import Task
from tracelab.data.frozen import arm, drawn
from tracelab.models.gpt import GPT
from tracelab.models.latent import thinking
from tracelab.models.places import capture
from tracelab.runs.explaining import explained, owners_of
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.traces.latent import Latent
from tracelab.training.experiment import build_learner
from tracelab.training.latents import Both, distillation, layers_of, step_loss

TASK: Task = Arithmetic(operations=[2, 5], distractors=1)
EXAMPLES = drawn(TASK, 0, "train", "problem", 0, 6)
WORDS = len(TASK.codec.vocabulary)


def plain(seed=0):
    return GPT(WORDS, 96, layers=2, width=32, heads=2, mlp=48, seed=seed)


@pytest.fixture
def model():
    """One off its initial weights, in float64."""
    model = thinking(plain(), 6, "recycled", 0.5, seed=0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return model.double()


def batch_of(treatment):
    """A batch of the treated examples, and their explained sequences."""
    sequences, treated = arm(TASK, treatment, EXAMPLES, 0, "train")
    whole = explained(TASK, treatment, EXAMPLES, treated, sequences)
    return collate(whole.take(np.arange(len(whole))), 0), whole


def distance_of(model, batch):
    with capture(model, *layers_of(model)) as seen:
        hidden = model.hidden(batch.tokens)
    return distillation(model, batch.tokens, seen, batch.beside), hidden


def test_latents_stand_for_the_steps_that_are_gone():
    assert owners_of(Latent(), 5, 3).tolist() == [0, 0, 1, 1, 2]
    assert owners_of(Latent(), 2, 3).tolist() == [0, 1]
    assert owners_of(Latent(), 5, 0).tolist() == []
    assert owners_of(Latent(steps=1), 5, 3).tolist() == [0, 1, 2]
    assert owners_of(Latent(steps=1, latents=2), 2, 4).tolist() == [0, 2]
    assert owners_of(Latent(steps=2, latents=1), 3, 2).tolist() == [0, 0, 1]
    batch, whole = batch_of(Latent(stages=3, stage=3, mix=0.0))
    for i, trace in enumerate(EXAMPLES.trace):
        gone = len(trace) - -(-len(trace) * 1 // 4) if len(trace) % 4 else len(trace) * 3 // 4
        words = TASK.codec.words_of(whole.steps[i]).split()
        assert sum(word in ("let", "add", "sub", "mul") for word in words) >= gone
        assert (whole.count == 3).all()
        assert (batch.tokens[i] == WORDS).sum() == 3
        place = batch.beside.answer[i]
        assert TASK.codec.words_of([batch.tokens[i, place]]) == "solution"
        assert TASK.codec.words_of([batch.beside.tokens[i, batch.beside.explicit[i]]]) == "solution"


def test_what_is_read_beside_the_rows_counts_and_has_room():
    """Whole traces, where states are taught by them; else the steps of one latent at most."""
    batch, whole = batch_of(Latent(stages=3, stage=4, mix=0.0))
    explicit = whole.explicit.tokens.lengths
    assert batch.counts.read == (
        (whole.tokens.lengths - 1).sum() + (explicit - 1).sum(),
        sum(n * (n - 1) // 2 for lengths in (whole.tokens.lengths, explicit) for n in lengths.tolist()),
    )
    assert whole.longest == explicit.max() > whole.tokens.lengths.max()
    alone = replace(whole, taught=False)
    assert count(alone).read[0] == (whole.tokens.lengths - 1).sum()
    of_one = max(np.unique(row, return_counts=True)[1].max() for row in whole.latent if len(row))
    assert alone.longest == max(of_one, whole.tokens.lengths.max())
    assert alone.take(np.arange(2)).taught is False


def test_steps_are_decoded_from_each_latent(model):
    batch, whole = batch_of(Latent(stages=3, stage=4, mix=0.0))
    decoder = plain(seed=1).double()
    losses = []
    for i in range(len(EXAMPLES)):
        row = torch.from_numpy(whole.tokens[i][:-1].astype(np.int64))[None]
        states = model.hidden(row)[0]
        for k, place in enumerate((row[0] == WORDS).nonzero()[:, 0].tolist()):
            steps = torch.from_numpy(whole.steps[i][whole.latent[i] == k].astype(np.int64))
            if len(steps):
                latent = (states[place - 1] * model.feed.factor)[None]
                read = torch.cat([latent, decoder.embed(steps[:-1])])[None]
                losses.append(cross_entropy(decoder(read)[0].double(), steps, reduction="none"))
    found = step_loss(model, decoder, model.hidden(batch.tokens), batch.beside)
    torch.testing.assert_close(found.double(), torch.cat(losses).mean(), rtol=1e-5, atol=1e-6)
    found.backward()
    assert model.feed.factor.grad.abs() > 0, "it reaches the latents"
    assert model.blocks[0].qkv.weight.grad.abs().sum() > 0
    assert decoder.embed.weight.grad.abs().sum() > 0


def test_states_are_drawn_to_those_behind_the_whole_trace(model):
    """Which stand still; where the row is the whole trace itself, there is nothing to learn."""
    batch, whole = batch_of(Latent(stages=3, stage=4, mix=0.0))
    (found, teacher), _ = distance_of(model, batch)
    mine, theirs = ({layer: [] for layer in layers_of(model)} for _ in range(2))
    still = copy.deepcopy(model)
    for i in range(len(EXAMPLES)):
        for states, reader, rows in ((mine, model, whole), (theirs, still, whole.explicit)):
            row = torch.from_numpy(rows.tokens[i].astype(np.int64))
            place = int((row == TASK.codec.token["solution"]).nonzero()[0, 0])
            with capture(reader, *states) as seen:
                reader.hidden(row[None])
            for layer, kept in states.items():
                kept.append(seen.whole(layer)[0, place])
    pairs = [(torch.stack(mine[layer]), torch.stack(theirs[layer]).detach()) for layer in mine]
    wanted = torch.stack([smooth_l1_loss(a, b) / b.std() for a, b in pairs]).mean()
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-6)
    one, other = (
        torch.autograd.grad(loss, [*model.parameters()], retain_graph=True) for loss in (found, wanted)
    )
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    assert torch.autograd.grad(teacher, model.embed.weight)[0].abs().sum() > 0
    (nothing, _), _ = distance_of(model, batch_of(Latent(stages=3, stage=0))[0])
    assert nothing == 0


def test_both_are_learned_from_a_few_problems(model):
    """Steps can be decoded from latents, and states come nearer."""
    batch, _ = batch_of(Latent(stages=3, stage=4, mix=0.0))
    model, decoder = model.float(), plain(seed=1)
    optimizer = torch.optim.Adam(Both(model, decoder).parameters(), 3e-3)
    losses = []
    for _ in range(25):
        (distance, teacher), hidden = distance_of(model, batch)
        steps = step_loss(model, decoder, hidden, batch.beside)
        losses.append((steps.item(), distance.item()))
        optimizer.zero_grad()
        (steps + distance + teacher).backward()
        optimizer.step()
    assert losses[-1][0] < 0.7 * losses[0][0]
    assert losses[-1][1] < losses[0][1]


def test_the_decoder_begins_with_the_models_weights(tmp_path, model):
    """Whatever these are: of another run, say (init_from)."""
    shape = ("layers=2", "width=32", "heads=2", "mlp=48", "qk_norm=false")
    experiment = small(tmp_path, "trace=latent", "loss.step_weight=1", *(f"model.{knob}" for knob in shape))
    weights = model.float().state_dict()
    decoder = build_learner(experiment, model).decoder.state_dict()
    assert decoder.keys() == {name for name in weights if not name.startswith("feed.")}
    assert all(torch.equal(weight, weights[name]) for name, weight in decoder.items())
    assert all(weight.data_ptr() != weights[name].data_ptr() for name, weight in decoder.items())


def test_muon_leaves_the_decoder_alone():
    both = dict(Both(plain(), plain(seed=1)).named_parameters())
    assert all(name.startswith("head") for name in both if name not in dict(plain().named_parameters()))
    assert len(both) == 2 * len(dict(plain().named_parameters()))
