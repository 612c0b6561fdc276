"""Generation: greedy against the plain forward, independence of neighbours, stops, limits, streams."""

import numpy as np
import pytest
import torch

from tests.helpers.engine import CONTEXT, VOCABULARY, tiny
from tracelab.core.ragged import Ragged
from tracelab.core.settings import COLDEST
from tracelab.decoding import sampling
from tracelab.decoding.sampling import Stream, generate

STOP = 12


@pytest.fixture(autouse=True, params=["batches", "continuous"])
def way(request, monkeypatch):
    """All that is promised here holds for the way of CPUs and for that of GPUs."""
    monkeypatch.setattr(sampling, "CONTINUOUS", ("cpu",) if request.param == "continuous" else ())
    return request.param


@pytest.fixture(scope="module")
def model():
    return peaked()


def peaked(**shape):
    """Its distributions are peaked, and differ from prompt to prompt."""
    model = tiny(seed=3, **shape)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(8)
    return model


def prompts(n=12, seed=0):
    generator = np.random.default_rng(seed)
    return Ragged.of([generator.integers(4, VOCABULARY, generator.integers(2, 15)) for _ in range(n)])


def by_hand(model, prompt, max_new):
    """Greedy decoding without a cache -> tokens and their mean log-probability."""
    ids, logprobs = prompt.tolist(), []
    with torch.no_grad():
        while len(logprobs) < max_new and len(ids) < CONTEXT:
            distribution = model(torch.tensor([ids]))[0, -1].log_softmax(-1)
            ids.append(int(distribution.argmax()))
            logprobs.append(float(distribution.max()))
            if ids[-1] == STOP:
                break
    return ids[len(prompt) :], np.mean(logprobs)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_greedy_is_what_the_plain_forward_gives(model, batch_size):
    done = generate(model, prompts(), stop=STOP, max_new=30, batch_size=batch_size)
    for i, prompt in enumerate(prompts()):
        tokens, mean_logprob = by_hand(model, prompt, 30)
        assert done.tokens[i].tolist() == tokens
        assert done.mean_logprob[i] == pytest.approx(mean_logprob, abs=1e-4)
        assert done.truncated[i] == (tokens[-1] != STOP)
    assert 0 < done.truncated.sum() < len(prompts()), "both endings are tested"


@pytest.mark.parametrize("shape", [{"qk_norm": False, "qkv_bias": True}, {"kv_heads": 4}, {"head_dim": 6}])
def test_models_of_other_shapes(shape):
    """head_dim=6: no kernel is compiled for it."""
    model = peaked(**shape)
    done = generate(model, prompts(4), stop=STOP, max_new=20, samples=2)
    for i in range(8):
        assert done.tokens[i].tolist() == by_hand(model, prompts(4)[i // 2], 20)[0]


def test_a_model_of_other_numbers_than_the_kernel_s():
    model = peaked().double()
    done = generate(model, prompts(3), stop=STOP, max_new=8)
    for i, prompt in enumerate(prompts(3)):
        assert done.tokens[i].tolist() == by_hand(model, prompt, 8)[0]


def test_the_coldest_temperature_is_greedy(model):
    """Logits that are divided by it are still numbers; those divided by less than it may be none."""
    greedy, cold = (
        generate(model, prompts(), stop=STOP, max_new=20, temperature=t, stream=Stream(1))
        for t in (0.0, COLDEST)
    )
    assert cold.tokens.values.tolist() == greedy.tokens.values.tolist()
    assert np.isfinite(cold.logprobs.values).all()


def test_sampling_does_not_depend_on_the_batch(model):
    options = {"stop": STOP, "max_new": 20, "temperature": 1.0, "stream": Stream(5)}
    together = generate(model, prompts(), **options)
    apart = generate(model, prompts(), batch_size=3, **options)
    assert together.tokens.values.tolist() == apart.tokens.values.tolist()
    other = generate(model, prompts(), **(options | {"stream": Stream(6)}))
    assert together.tokens.values.tolist() != other.tokens.values.tolist()


def test_copies_of_a_prompt_get_streams_of_their_own(model):
    copies = Ragged.of([prompts()[0]] * 8)
    done = generate(model, copies, stop=STOP, max_new=10, temperature=2.0)
    assert len({tuple(row) for row in done.tokens}) > 4


def test_samples_that_share_a_prompt_are_those_of_copies(model):
    options = {"stop": STOP, "max_new": 20, "temperature": 1.5, "stream": Stream(5)}
    copies = Ragged.of([prompt for prompt in prompts(5) for _ in range(3)])
    apart = generate(model, copies, **options)
    for batch_size in (1, 4, 64):
        shared = generate(model, prompts(5), samples=3, batch_size=batch_size, **options)
        assert shared.tokens.values.tolist() == apart.tokens.values.tolist()
        assert np.allclose(shared.logprobs.values, apart.logprobs.values, atol=1e-4)
        assert shared.truncated.tolist() == apart.truncated.tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0, 0.6])
def test_log_probabilities_are_of_the_distribution_that_was_sampled(model, temperature):
    done = generate(model, prompts(), stop=STOP, max_new=12, temperature=temperature)
    for i, prompt in enumerate(prompts()):
        row, whole = done.tokens[i], np.concatenate([prompt, done.tokens[i]]).astype(np.int64)
        with torch.no_grad():
            logits = model(torch.from_numpy(whole)[None])[0, len(prompt) - 1 : -1]
        for scale, got in (
            (temperature or 1.0, done.logprobs[i]),
            (1.0, done.mean_logprob[i]),
        ):
            wanted = (logits / scale).log_softmax(-1)[range(len(row)), row.astype(np.int64)].numpy()
            assert np.allclose(got, wanted if np.ndim(got) else wanted.mean(), atol=1e-4)


def test_frequencies_are_the_models(model):
    copies = Ragged.of([prompts()[1]] * 4000)
    done = generate(model, copies, stop=STOP, max_new=1, temperature=0.7)
    counts = np.bincount(done.tokens.values, minlength=VOCABULARY)
    with torch.no_grad():
        expected = (model(torch.from_numpy(prompts()[1].astype(np.int64))[None])[0, -1] / 0.7).softmax(-1)
    assert np.abs(counts / 4000 - expected.numpy()).max() < 0.03


def test_ends_at_the_context(model):
    long = Ragged.of([np.full(CONTEXT - 3, 5), np.full(4, 5)])
    done = generate(model, long, stop=VOCABULARY, max_new=1000)
    assert done.tokens.lengths.tolist() == [3, CONTEXT - 4]
    assert done.truncated.all()
    assert done.tokens.values.dtype == np.int32


def test_a_prompt_that_leaves_no_room(model):
    with pytest.raises(ValueError, match=f"longest prompt has {CONTEXT} tokens"):
        generate(model, Ragged.of([np.full(CONTEXT, 5)]), stop=STOP, max_new=1)


def test_no_samples(model):
    with pytest.raises(ValueError, match="samples=0"):
        generate(model, prompts(), stop=STOP, max_new=1, samples=0)


def test_no_prompts(model):
    done = generate(model, Ragged.of([]), stop=STOP, max_new=5)
    assert len(done.tokens) == len(done.truncated) == len(done.mean_logprob) == 0


def test_threads_do_not_matter_and_are_as_before(model):
    alone = generate(model, prompts(), stop=STOP, max_new=9)
    torch.set_num_threads(2)
    try:
        together = generate(model, prompts(), stop=STOP, max_new=9)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert alone.tokens.values.tolist() == together.tokens.values.tolist()
