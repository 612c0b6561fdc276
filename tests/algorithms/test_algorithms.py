"""Post-training algorithms against hand-written references, by loss and gradient; KL gradients exactly."""

import math

import pytest
import torch

from tracelab.algorithms.base import Batch
from tracelab.algorithms.expert_iteration import ExpertIteration
from tracelab.algorithms.grpo import FLOOR, GRPO
from tracelab.algorithms.gspo import GSPO
from tracelab.algorithms.kl import ESTIMATORS, kl_terms
from tracelab.algorithms.reinforce import Reinforce
from tracelab.algorithms.rloo import RLOO

MAX_NEW = 7
LENGTHS = (5, 3, 1, 4, 2, 5, 0, 3)  # two groups of four; one completion does not count at all
REWARDS = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.5, 0.25, 0.0, 0.0]], dtype=torch.float64)


def numbers(seed=0, spread=0.4):
    """-> logprobs (with gradient), old, reference, entropy, mask, in float64."""
    generator = torch.Generator().manual_seed(seed)
    n, T = len(LENGTHS), max(LENGTHS)
    old = -torch.rand(n, T, generator=generator, dtype=torch.float64) * 3
    new = (old + spread * torch.randn(n, T, generator=generator, dtype=torch.float64)).requires_grad_()
    reference = old + 0.3 * torch.randn(n, T, generator=generator, dtype=torch.float64)
    entropy = torch.rand(n, T, generator=generator, dtype=torch.float64).requires_grad_()
    mask = torch.arange(T) < torch.tensor(LENGTHS)[:, None]
    return new, old, reference, entropy, mask


def loss_of(algorithm, rows=None, seed=0):
    """-> loss, gradient of logprobs, gradient of entropies; of some rows with the weights of all."""
    new, old, reference, entropy, mask = numbers(seed)
    advantages = algorithm.advantages(REWARDS).flatten()
    weights, spread = (each(mask, advantages, MAX_NEW) for each in (algorithm.weights, algorithm.spread))
    rows = torch.arange(len(LENGTHS)) if rows is None else rows
    parts = (new, old, advantages, mask, weights, reference, entropy, spread)
    terms = algorithm.loss(Batch(*(part[rows] for part in parts)))
    return terms, *torch.autograd.grad(terms.loss, (new, entropy), allow_unused=True)


def by_hand(algorithm, surrogate):
    """The loss with plain loops. surrogate: (i, t, new, old, advantage) -> the negative objective."""
    new, old, reference, entropy, _ = numbers()
    advantages = algorithm.advantages(REWARDS).flatten().tolist()
    everyone = [i for i, n in enumerate(LENGTHS) if n]
    counted = [i for i in everyone if algorithm.counted(torch.tensor(advantages))[i]]
    loss = torch.zeros((), dtype=torch.float64)

    def share(i, rows):
        total = sum(LENGTHS[j] for j in rows)
        shares = {"sequence": 1 / (LENGTHS[i] * len(rows)), "token": 1 / total}
        return shares.get(algorithm.per, 1 / (MAX_NEW * len(rows))) if i in rows else 0.0

    for i in everyone:
        for t in range(LENGTHS[i]):
            d = new[i, t] - reference[i, t]
            ratio = math.exp(new[i, t].item() - old[i, t].item())
            value = ratio * {"k1": d, "k2": d**2 / 2, "k3": (-d).exp() - 1 + d}[algorithm.kl_estimator]
            kl = value.detach() + ratio * d.detach() * (new[i, t] - new[i, t].detach())
            loss = loss + share(i, counted) * surrogate(i, t, new, old, advantages[i])
            loss = loss + share(i, everyone) * (algorithm.kl * kl - algorithm.entropy * entropy[i, t])
    return loss, *torch.autograd.grad(loss, (new, entropy), allow_unused=True)


def clipped(algorithm):
    def surrogate(i, t, new, old, advantage):
        ratio = torch.exp(new[i, t] - old[i, t])
        bounded = min(max(ratio.item(), 1 - algorithm.clip_low), 1 + algorithm.clip_high)
        inside = bounded == ratio.item()
        return -min(
            ratio * advantage,
            ratio * advantage if inside else torch.tensor(bounded * advantage, dtype=torch.float64),
        )

    return surrogate


def sequence_clipped(algorithm):
    def surrogate(i, t, new, old, advantage):
        n = LENGTHS[i]
        ratio = torch.exp((new[i, :n] - old[i, :n]).sum() / n)
        bounded = min(max(ratio.item(), 1 - algorithm.clip_low), 1 + algorithm.clip_high)
        inside = bounded == ratio.item()
        return -min(
            ratio * advantage,
            ratio * advantage if inside else torch.tensor(bounded * advantage, dtype=torch.float64),
        )

    return surrogate


def likelihood(algorithm):
    return lambda i, t, new, old, advantage: -new[i, t] * advantage


VARIANTS = [
    *(
        (kind(per=per), clipped)
        for kind in (GRPO, RLOO, Reinforce)
        for per in ("sequence", "token", "constant")
    ),
    (GRPO(std=False, per="constant"), clipped),  # Dr. GRPO
    (GRPO(clip_high=0.28, per="token"), clipped),  # DAPO
    *((GRPO(kl=0.3, kl_estimator=name, entropy=0.01), clipped) for name in ESTIMATORS),
    (GSPO(), sequence_clipped),
    (GSPO(clip_low=0.1, clip_high=0.2, kl=0.1), sequence_clipped),
    (ExpertIteration(), likelihood),
    (ExpertIteration(per="sequence", threshold=0.25, kl=0.2, entropy=0.01), likelihood),
]
ALGORITHMS = [algorithm for algorithm, _ in VARIANTS]


def close(a, b):
    if a is None or b is None:
        return (a is None or not a.any()) and (b is None or not b.any())
    return torch.allclose(a, b, atol=1e-12)


@pytest.mark.parametrize(("algorithm", "reference"), VARIANTS, ids=map(str, ALGORITHMS))
def test_loss_and_gradient_are_those_written_by_hand(algorithm, reference):
    terms, by_logprob, by_entropy = loss_of(algorithm)
    wanted = by_hand(algorithm, reference(algorithm))
    assert terms.loss.item() == pytest.approx(wanted[0].item(), abs=1e-12)
    assert close(by_logprob, wanted[1])
    assert close(by_entropy, wanted[2])
    assert by_logprob.any()


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=str)
@pytest.mark.parametrize("split", [[1] * 8, [3, 5], [7, 1]])
def test_any_split_into_micro_batches_gives_the_same_gradient(algorithm, split):
    whole = loss_of(algorithm)
    parts = [loss_of(algorithm, rows) for rows in torch.arange(8).split(split)]
    assert sum(p[0].loss.item() for p in parts) == pytest.approx(whole[0].loss.item(), abs=1e-12)
    assert close(sum(p[1] for p in parts), whole[1])
    for name, value in whole[0].sums.items():
        assert float(value) == pytest.approx(float(sum(p[0].sums[name] for p in parts)))


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=str)
def test_padding_has_no_part_in_it(algorithm):
    _, by_logprob, _ = loss_of(algorithm)
    mask = numbers()[-1]
    assert not by_logprob[~mask].any()
    new, old, reference, entropy, _ = numbers()
    advantages = algorithm.advantages(REWARDS).flatten()
    nothing = torch.zeros_like(mask)
    weights = algorithm.weights(nothing, advantages, MAX_NEW)
    terms = algorithm.loss(Batch(new, old, advantages, nothing, weights, reference, entropy))
    assert terms.loss.item() == 0.0
    assert not torch.autograd.grad(terms.loss, new)[0].any()


@pytest.mark.parametrize("there", [float("inf"), float("nan")])
def test_what_stands_at_padding_is_not_logged(there):
    *numbered, mask = numbers()
    advantages = GRPO().advantages(REWARDS).flatten()
    weights = GRPO().weights(mask, advantages, MAX_NEW)

    def terms(value):
        new, old, reference, entropy = (part.detach().where(mask, value) for part in numbered)
        batch = Batch(new, old, advantages, mask, weights, reference, entropy)
        return GRPO(kl=0.1, entropy=0.1).loss(batch)

    plain, found = terms(0.0), terms(there)
    assert {name: value.item() for name, value in found.sums.items()} == {
        name: value.item() for name, value in plain.sums.items()
    }
    assert found.loss == plain.loss


def test_advantages():
    grpo, dr = GRPO().advantages(REWARDS), GRPO(std=False).advantages(REWARDS)
    assert torch.allclose(dr, REWARDS - REWARDS.mean(1, keepdim=True))
    deviations = torch.tensor([1 / 3, (0.171875 / 3)]).sqrt()  # squares about the mean, by n - 1
    assert torch.allclose(grpo, dr / (deviations[:, None].double() + FLOOR), atol=1e-6)
    others = [[(row.sum() - r) / 3 for r in row] for row in REWARDS]
    assert torch.allclose(RLOO().advantages(REWARDS), REWARDS - torch.tensor(others))
    everyone = torch.stack([(REWARDS.sum() - r) / 7 for r in REWARDS.flatten()]).reshape(2, 4)
    assert torch.allclose(Reinforce().advantages(REWARDS), REWARDS - everyone)
    assert ExpertIteration(threshold=0.5).advantages(REWARDS).tolist() == [[1, 0, 0, 1], [1, 0, 0, 0]]
    rounded = torch.tensor([[0.6 + 0.3 + 0.1, 0.99]], dtype=torch.float64)
    assert rounded[0, 0] < 1, "the case is tested"
    assert ExpertIteration().advantages(rounded).tolist() == [[1, 0]]


@pytest.mark.parametrize("algorithm", [GRPO(), GRPO(std=False), GSPO(), RLOO()], ids=str)
def test_equal_rewards_teach_nothing(algorithm):
    rewards = torch.tensor([[0.1 + 0.2] * 4, [1.0] * 4], dtype=torch.float64)
    assert not algorithm.advantages(rewards).any()
    sums = [[0.3, 0.2 + 0.1, 0.3, 0.3], [1.0, 0.6 + 0.3 + 0.1, 1.0, 1.0]]
    nearly = torch.tensor(sums, dtype=torch.float64)
    assert (nearly != nearly[:, :1]).any(), "the case is tested"
    assert not algorithm.advantages(nearly).any()


def test_a_single_completion_in_all():
    assert Reinforce().advantages(torch.tensor([[0.7]])).tolist() == [[0.0]]


def test_clipping_is_counted():
    algorithm = GRPO(clip_low=0.0, clip_high=0.0)
    sums = loss_of(algorithm)[0].sums
    new, old, *_, mask = numbers()
    advantages = algorithm.advantages(REWARDS).flatten()[:, None]
    active = ((new > old) & (advantages > 0)) | ((new < old) & (advantages < 0))
    assert sums["clip_share"] == (active & mask).sum()
    assert loss_of(GRPO(clip_low=1.0, clip_high=100.0))[0].sums["clip_share"] == 0


def policy(theta):
    return theta.log_softmax(-1)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("on_policy", [True, False])
def test_the_kl_gradient_is_that_of_the_reverse_kl(estimator, on_policy):
    """Its mean over all tokens under the sampling policy, against finite differences of the exact KL."""
    generator = torch.Generator().manual_seed(1)
    theta, reference, other = (torch.randn(5, generator=generator, dtype=torch.float64) for _ in range(3))
    reference, theta = policy(reference), theta.requires_grad_()
    old = policy(theta).detach() if on_policy else policy(other)
    terms = kl_terms(estimator, policy(theta), old, reference)
    mean = (old.exp() * terms).sum()
    (gradient,) = torch.autograd.grad(mean, theta)

    def exact(at):
        return (policy(at).exp() * (policy(at) - reference)).sum().item()

    step, wanted = 1e-6, []
    for k in range(5):
        shift = torch.zeros(5, dtype=torch.float64)
        shift[k] = step
        wanted.append((exact(theta.detach() + shift) - exact(theta.detach() - shift)) / (2 * step))
    assert torch.allclose(gradient, torch.tensor(wanted, dtype=torch.float64), atol=1e-7)
    if estimator in ("k1", "k3"):
        assert mean.item() == pytest.approx(exact(theta.detach()), abs=1e-12)


@pytest.mark.parametrize("per", ["sequence", "token", "constant"])
def test_kl_and_entropy_are_of_all_completions_whichever_are_imitated(per):
    """Ten completions of one of three words, as often as the policy has them; the second word is imitated."""
    words = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    theta = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log().requires_grad_()
    reference = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64).log()
    mask, rewards = torch.ones(10, 1, dtype=torch.bool), (words == 1).double()

    def gradient(**terms):
        algorithm = ExpertIteration(per=per, **terms)
        advantages = algorithm.advantages(rewards)
        new, entropy = policy(theta), -(policy(theta).exp() * policy(theta)).sum().expand(10, 1)
        sampled = new[words][:, None]
        weights, spread = (each(mask, advantages, 1) for each in (algorithm.weights, algorithm.spread))
        known = sampled.detach(), advantages, mask, weights, reference[words][:, None]
        return torch.autograd.grad(algorithm.loss(Batch(sampled, *known, entropy, spread)).loss, theta)[0]

    def exact(function):
        return torch.autograd.grad(function(policy(theta)), theta)[0]

    kl = exact(lambda new: (new.exp() * (new - reference)).sum())
    assert kl.tolist() == pytest.approx([-0.0203, 0.1095, -0.0892], abs=1e-4)
    assert torch.allclose(gradient(kl=1.0) - gradient(), kl, atol=1e-12)
    falling = exact(lambda new: (new.exp() * new).sum())
    assert torch.allclose(gradient(entropy=1.0) - gradient(), falling, atol=1e-12)


def test_the_kl_pulls_towards_the_reference():
    theta = torch.tensor([2.0, 0.0, -1.0], requires_grad=True)
    reference, old = policy(torch.zeros(3)), policy(theta).detach()
    for _ in range(300):
        old = policy(theta).detach()
        loss = (old.exp() * kl_terms("k3", policy(theta), old, reference)).sum()
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta - 0.5 * gradient).detach().requires_grad_()
    assert torch.allclose(policy(theta), reference, atol=1e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GRPO(per="batch"), "algorithm.per='batch'"),
        (lambda: GRPO(kl_estimator="k4"), "algorithm.kl_estimator='k4'"),
        (lambda: GRPO(kl=-1.0), "0 or more"),
        (lambda: GRPO(clip_low=1.5), "algorithm.clip_low=1.5"),
        (lambda: GSPO(per="token"), "algorithm.per=token"),
    ],
)
def test_bad_knobs(make, message):
    with pytest.raises(ValueError, match=message):
        make()
