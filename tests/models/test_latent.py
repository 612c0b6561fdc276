"""Models that think in latents, against plain passes without a cache over ever more of the row."""

import copy

import pytest
import torch
from torch.nn.functional import cosine_similarity

from tests.helpers.engine import VOCABULARY, tiny
from tracelab.batches.documents import Documents
from tracelab.core.ragged import Ragged
from tracelab.decoding.sampling import generate
from tracelab.models.gpt import GPT
from tracelab.models.latent import FEEDS, thinking
from tracelab.models.recurrent import Recurrent
from tracelab.traces.latent import FEEDBACKS

K = 4
DRAWN = ("feed.matrix.weight", "feed.vector", "feed.vectors")


def recurrent():
    return Recurrent(VOCABULARY, 48, layers=2, width=32, mlp=48)


def moved(feedback, kind=tiny, seed=1):
    """A thinking model off its initial weights, in float64, where sums in another order do not matter."""
    model = thinking(kind(), K, feedback, scale=0.5, seed=seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not name.startswith("feed"):
                p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return model.double()


def rows():
    """Prompts of several lengths, and from none to all of the latents behind them."""
    tokens = torch.randint(4, VOCABULARY, (4, 14), generator=torch.Generator().manual_seed(0))
    for row, (first, count) in enumerate([(3, 4), (6, 3), (5, 4)]):
        tokens[row, first : first + count] = VOCABULARY
    return tokens


def plainly(model, kind, row):
    """(T, width) of one row: a whole pass for each latent, whose last state is put in its place."""
    inputs = model.embed(row.clamp(max=VOCABULARY - 1))
    for k, place in enumerate((row == VOCABULARY).nonzero()[:, 0].tolist()):
        state = kind.hidden(model, inputs[None])[0, place - 1]
        if type(model.feed) is FEEDS["random"]:
            fed = model.feed.vectors[k]
        elif type(model.feed) is FEEDS["recycled"]:
            fed = state * model.feed.factor
        elif type(model.feed) is FEEDS["projected"]:
            projected = model.feed.matrix.weight @ state
            fed = projected / projected.square().mean().add(1e-6).sqrt() * model.feed.norm.weight
        else:
            fed = model.feed.vector * model.embed.scale
        inputs = torch.cat([inputs[:place], fed[None], inputs[place + 1 :]])
    return kind.hidden(model, inputs[None])[0]


@pytest.mark.parametrize(("build", "kind"), [(tiny, GPT), (recurrent, Recurrent)])
@pytest.mark.parametrize("feedback", FEEDS)
def test_passes_are_those_of_the_definition(feedback, build, kind):
    """In values and, through all passes, in gradients."""
    model, weights = moved(feedback, build), torch.randn(4, 14, 32, dtype=torch.float64)
    found, wanted = model.hidden(rows()), torch.stack([plainly(model, kind, row) for row in rows()])
    tolerance = {"rtol": 1e-6, "atol": 1e-5} if kind is Recurrent else {}  # its recurrence is float32
    torch.testing.assert_close(found, wanted, **tolerance)
    one, other = (
        torch.autograd.grad((hidden * weights).sum(), [*model.parameters()], allow_unused=True)
        for hidden in (found, wanted)
    )
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(
                a, b, rtol=1e-6 if kind is GPT else 1e-3, atol=1e-6 if kind is GPT else 1e-3
            )


@torch.no_grad()
@pytest.mark.parametrize("build", [tiny, recurrent])
@pytest.mark.parametrize("feedback", FEEDS)
def test_sampling_with_a_cache_is_sampling_without(feedback, build):
    model = moved(feedback, build).float().eval()
    prompts = model.opened(Ragged.of([[5, 6, 7], [8, 9, 10, 11, 12]]))
    assert prompts[0].tolist() == [5, 6, 7, *[VOCABULARY] * K]
    done = generate(model, prompts, stop=0, max_new=8, samples=2)
    for k, completion in enumerate(done.tokens):
        whole = torch.tensor([*prompts[k // 2], *completion])[None]
        likeliest = model(whole)[0].argmax(-1)
        assert likeliest[len(prompts[k // 2]) - 1 : -1].tolist() == completion.tolist()


def test_a_pause_in_one_pass_is_one_in_as_many_as_there_are_latents():
    one, many = moved("pause"), moved("pause_sequential")
    many.load_state_dict(one.state_dict())
    assert (one.feed.sequential, many.feed.sequential) == (False, True)
    torch.testing.assert_close(one.hidden(rows()), many.hidden(rows()))


def test_weights_are_those_of_the_model_without_latents():
    plain, others = tiny().state_dict(), {}
    for feedback in FEEDS:
        model = thinking(tiny(), K, feedback, scale=0.5, seed=0)
        weights = model.state_dict()
        assert all(torch.equal(weights[name], plain[name]) for name in plain)
        others[feedback] = sorted(weights.keys() - plain.keys())
        assert torch.equal(model.hidden(rows().clamp(max=19)), tiny().hidden(rows().clamp(max=19)))
        assert copy.deepcopy(model).lead == (VOCABULARY,) * K
    assert others["recycled"] == ["feed.factor"]
    assert all(others.values()), "each has something of its own"
    assert {*FEEDS, "none"} == set(FEEDBACKS)


@pytest.mark.parametrize("feedback", ["projected", "pause", "random"])
def test_what_latents_have_is_drawn_by_itself(feedback):
    """It is no word's vector of the same seed, and the checkpoint's where one is loaded."""
    model = thinking(tiny(seed=3), K, feedback, scale=None, seed=3)
    (rows,) = (each for name, each in model.state_dict().items() if name in DRAWN)
    alike = cosine_similarity(rows.reshape(-1, 1, 32), model.embed.weight.detach(), dim=-1)
    assert alike.abs().max() < 0.75
    other = thinking(tiny(seed=4), K, feedback, scale=None, seed=4)
    other.load_state_dict(model.state_dict())
    assert all(torch.equal(mine, other.state_dict()[name]) for name, mine in model.state_dict().items())


def test_a_state_is_some_fifty_times_as_large_as_a_word():
    model = tiny()
    state, word = (x.square().mean().sqrt() for x in (model.hidden(rows().clamp(max=19)), model.embed.weight))
    assert 45 < state / word < 55


@pytest.mark.parametrize("scaled", [False, True])
def test_inputs_are_at_first_as_large_as_words(scaled):
    """Where no scale is given."""
    for feedback in FEEDS:
        model = thinking(tiny(embed_scaled=scaled), K, feedback, scale=None, seed=0)
        word = model.embed(torch.arange(VOCABULARY)).square().mean().sqrt()
        state = model.norm(torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(0)))
        fed = model.feed(torch.arange(K) if feedback == "random" else state)
        assert 0.6 < fed.square().mean().sqrt() / word < 1.6, feedback


def test_slots_and_compilers_leave_it_alone(monkeypatch):
    monkeypatch.setattr("tracelab.decoding.sampling.CONTINUOUS", ("cpu",))
    monkeypatch.setattr("tracelab.decoding.continuous.complete", lambda *_, **__: pytest.fail("in slots"))
    model = moved("recycled").float()
    assert len(generate(model, model.opened(Ragged.of([[5, 6]])), stop=0, max_new=2).tokens) == 1
    assert (tiny().compiles, model.compiles) == (True, False)


def test_packed_rows_are_refused():
    with pytest.raises(ValueError, match=r"data\.packing=null"):
        moved("pause").hidden(rows(), documents=Documents(torch.zeros(4, 14), torch.zeros(1)))
