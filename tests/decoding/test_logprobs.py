"""Log-probabilities of completions: in batches as one by one, and the sampler's as the trainer's."""

import numpy as np
import pytest
import torch

from tests.helpers.engine import tiny
from tracelab.core.ragged import Ragged
from tracelab.decoding.logprobs import evaluate, micro_batches, teacher_forced
from tracelab.decoding.sampling import generate
from tracelab.models.precision import REDUCED


def pairs(n=9):
    generator = np.random.default_rng(0)
    prompts = Ragged.of([generator.integers(4, 20, generator.integers(2, 12)) for _ in range(n)])
    return prompts, Ragged.of([generator.integers(4, 20, generator.integers(1, 25)) for _ in range(n)])


def one_by_one(model, prompts, completions, temperature):
    """Log-probabilities and entropies without padding -> a row each."""
    for prompt, completion in zip(prompts, completions, strict=True):
        tokens = torch.from_numpy(np.concatenate([prompt, completion]).astype(np.int64))
        with torch.no_grad():
            logits = model(tokens[None])[0, len(prompt) - 1 : -1] / temperature
        distribution = logits.log_softmax(-1)
        entropy = -(distribution.exp() * distribution).sum(-1)
        yield distribution[torch.arange(len(completion)), tokens[len(prompt) :]], entropy


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("tokens", [1, 64, 10_000])
def test_batched_log_probabilities_are_those_one_by_one(temperature, tokens):
    model, (prompts, completions) = tiny(seed=1), pairs()
    wanted = list(one_by_one(model, prompts, completions, temperature))
    seen = []
    for micro in micro_batches(prompts, completions, tokens):
        logprobs, entropy = evaluate(model, micro, temperature, entropy=True)
        assert logprobs.requires_grad
        for row, mask, got, spread in zip(micro.rows.tolist(), micro.mask, logprobs, entropy, strict=True):
            assert mask.sum() == len(completions[row])
            assert torch.allclose(got[mask], wanted[row][0], atol=1e-5)
            assert torch.allclose(spread[mask], wanted[row][1], atol=1e-5)
            assert not got[~mask].any()
            seen.append(row)
    assert sorted(seen) == list(range(9))


def test_the_samplers_log_probabilities_are_the_trainers():
    """The sampler pads on the left and keeps a cache; the trainer pads on the right."""
    model, (prompts, _) = tiny(seed=1), pairs()
    done = generate(model, prompts, stop=12, max_new=15, samples=3, temperature=0.8)
    rows = np.repeat(np.arange(len(prompts)), 3)
    for micro in micro_batches(prompts.take(rows), done.tokens, 128):
        logprobs, _ = evaluate(model, micro, 0.8)
        for row, mask, got in zip(micro.rows.tolist(), micro.mask, logprobs, strict=True):
            assert np.allclose(got[mask].detach().numpy(), done.logprobs[row], atol=1e-4)


def test_so_they_are_in_sixteen_bits():
    """Of the kernel that decodes and of torch's attention, but for rounding."""
    model, (prompts, _) = tiny(seed=1), pairs()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8 if weight.ndim == 2 else 1)  # words differ in likelihood
    model.products = REDUCED
    done = generate(model, prompts, stop=12, max_new=15, samples=3, temperature=1.0)
    read = teacher_forced(model, prompts.take(np.repeat(np.arange(len(prompts)), 3)), done.tokens)
    assert read.values.std() > 0.5
    assert np.allclose(read.values, done.logprobs.values, atol=0.05)
