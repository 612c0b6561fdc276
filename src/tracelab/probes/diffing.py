"""How transcoders are trained: the model before, with them, is to become the model after.

    kl + bridging * bridging + reconstruction * error + sparsity * L1

The divergence (KL) goes from the next-token distributions after to those of the adapted model. Bridging is
the same, of two mixed models, which are cut at one layer that is drawn anew in each step: below it adapted
and above it after, and the other way round. Reconstruction is the squared error of the stream after each
layer, over its square. L1 is the sum of the features, each times the norm of what it adds.

Hu et al. 2026 (arXiv 2602.20904).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tracelab.core import rng
from tracelab.core.waiting import waiting
from tracelab.decoding.logprobs import MICRO_TOKENS, Micro, micro_batches
from tracelab.models.base import Model
from tracelab.models.places import capture, change, replace
from tracelab.probes.activations import Written
from tracelab.probes.settings import Fitting
from tracelab.probes.transcoders import Transcoders, adapted

TERMS = ("kl", "bridging", "reconstruction", "sparsity")  # of the loss
WARM_UP = 0.05  # of all steps
CLIP = 1.0  # of the gradient's norm
EPS = 1e-6  # of Adam: above the rounding of equal models, which is nothing to be learned

Other = tuple[Model, Callable[[], AbstractContextManager[Any]]]  # a model, and how it is changed


@dataclass(frozen=True)
class Pair:
    """The model that is adapted, and the one that it is to become; of one shape."""

    before: Model
    after: Model


def fit(
    pair: Pair, transcoders: Transcoders, written: Written, fitting: Fitting, seed: int
) -> dict[str, list[float]]:
    """Train the transcoders on these completions -> each term of the loss, unweighted, at each step."""
    for model in (pair.before, pair.after):
        model.requires_grad_(False)
    weights = torch.tensor([1.0, fitting.bridging, fitting.reconstruction, fitting.sparsity])
    learned = [weight for transcoder in transcoders for weight in transcoder.parameters()]
    adam = torch.optim.Adam(learned, fitting.learning_rate, eps=EPS)
    rate = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: factor(step, fitting.steps))
    seen: dict[str, list[float]] = {term: [] for term in TERMS}
    cuts = rng.rng(seed, "val", 0, "cuts").integers(0, len(transcoders) + 1, fitting.steps)
    with waiting("Training transcoders", fitting.steps) as done:
        for cut, micro in zip(cuts.tolist(), batches(written, fitting, seed), strict=False):
            terms = losses(pair, transcoders, micro, real_tokens(written, micro), cut)
            adam.zero_grad()
            (torch.stack(terms) @ weights.to(terms[0])).backward()
            nn.utils.clip_grad_norm_(learned, CLIP)
            adam.step()
            rate.step()
            for term, loss in zip(TERMS, terms, strict=True):
                seen[term].append(float(loss.detach()))
            done(1)
    return seen


def factor(step: int, steps: int) -> float:
    """The factor on the learning rate: up over the first steps, then down along half a cosine."""
    return min(1.0, (step + 1) / (1 + WARM_UP * steps)) * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def batches(written: Written, fitting: Fitting, seed: int) -> Iterator[Micro]:
    """Completions of near-equal lengths together, all of them in a new order each time, for ever."""
    every = list(micro_batches(written.prompts, written.completions, fitting.batch_tokens))
    generator = rng.rng(seed, "val", 0, "batches")
    while True:
        yield from (every[k] for k in generator.permutation(len(every)))


def real_tokens(written: Written, micro: Micro) -> Tensor:
    """(B, T) bool: which of the tokens that are read are no padding."""
    lengths = written.prompts.lengths + written.completions.lengths - 1
    return torch.arange(micro.tokens.shape[1]) < torch.from_numpy(lengths)[micro.rows][:, None]


def losses(pair: Pair, transcoders: Transcoders, micro: Micro, real: Tensor, cut: int) -> tuple[Tensor, ...]:
    """The terms of the loss, in the order of TERMS. cut: layers below where the mixed models are cut."""
    device = pair.before.device
    tokens, at, real = micro.tokens.to(device), micro.at.to(device), real.to(device)
    before, after = pair.before, pair.after
    streams = ["embed", *(f"blocks.{i}" for i in range(len(transcoders)))]
    with torch.no_grad(), capture(after, *streams) as theirs:
        target = next_tokens(after, tokens, at)
    with adapted(before, transcoders) as features, capture(before, *streams) as ours:
        kl = divergence(target, next_tokens(before, tokens, at)).mean()
    here = streams[cut]
    bridging = torch.zeros((), device=device)
    if cut > 0:
        with change(after, {here: replace(ours.whole(here))}):
            bridging = bridging + divergence(target, next_tokens(after, tokens, at)).mean()
    if cut < len(transcoders):
        with adapted(before, transcoders), change(before, {here: replace(theirs.whole(here))}):
            bridging = bridging + divergence(target, next_tokens(before, tokens, at)).mean()
    errors = [_error(ours.whole(place)[real], theirs.whole(place)[real]) for place in streams[1:]]
    added = [
        (features[layer][real].float() @ transcoder.norms).mean()
        for layer, transcoder in enumerate(transcoders)
    ]
    return kl, bridging, torch.stack(errors).mean(), torch.stack(added).sum()


def next_tokens(model: Model, tokens: Tensor, at: Tensor) -> Tensor:
    """(n, vocab_size): log-probabilities of what comes behind the tokens at places of the flattened batch."""
    with model.computing():
        return model.logits(model.hidden(tokens).flatten(0, 1)[at]).log_softmax(-1)


def divergence(target: Tensor, mine: Tensor) -> Tensor:
    """(n,): KL divergences in nats from the target's distributions; both are log-probabilities."""
    return (target.exp() * (target - mine)).sum(-1)


def _error(mine: Tensor, theirs: Tensor) -> Tensor:
    """The squared error over the square, in one."""
    mine, theirs = mine.float(), theirs.float()
    return (mine - theirs).square().mean() / theirs.square().mean()


@torch.no_grad()
def divergences(after: Model, written: Written, others: Mapping[str, Other]) -> dict[str, float]:
    """Nats a token, of these completions, from the model after to each of the others, by name."""
    sums = dict.fromkeys(others, 0.0)
    for micro in micro_batches(written.prompts, written.completions, MICRO_TOKENS):
        tokens, at = micro.tokens.to(after.device), micro.at.to(after.device)
        target = next_tokens(after, tokens, at)
        for name, (model, context) in others.items():
            with context():
                sums[name] += float(divergence(target, next_tokens(model, tokens, at)).double().sum())
    return {name: total / len(written.completions.values) for name, total in sums.items()}
