"""The optimiser against torch's own two, its checkpoints, and the schedules."""

import copy

import hydra
import pytest
import torch

from tests.helpers.engine import VOCABULARY, tiny
from tracelab.core.paths import CONF
from tracelab.models.latent import FEEDS, thinking
from tracelab.models.precision import FULL, REDUCED
from tracelab.optim.adamw import adamw
from tracelab.optim.muon import (
    ITERATIONS,
    ROOM,
    MuonAdamW,
    _by_gram,
    _directly,
    is_hidden_matrix,
    orthogonalize,
)
from tracelab.optim.schedule import Cosine, Linear
from tracelab.runs.entry import compose
from tracelab.training.budget import Budget, Progress
from tracelab.training.settings import Training


def backward(model, seed, latents=0):
    tokens = torch.randint(20, (4, 12), generator=torch.Generator().manual_seed(seed))
    tokens[:, 5 : 5 + latents] = VOCABULARY
    model(tokens).logsumexp(-1).square().mean().backward()


def steps(model, *optimizers):
    for seed in range(4):
        backward(model, seed)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def test_is_torchs_muon_and_torchs_adamw():
    ours, theirs = tiny(), tiny()
    ours.products = REDUCED  # as torch's is, always
    matrices = [p for n, p in theirs.named_parameters() if is_hidden_matrix(n, p)]
    others = [p for n, p in theirs.named_parameters() if not is_hidden_matrix(n, p)]
    steps(ours, MuonAdamW(ours, lr=0.01, weight_decay=0.1, adam_lr=0.003))
    steps_together(theirs, torch.optim.Muon(matrices, lr=0.01, weight_decay=0.1), adam(others))
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        tolerance = 2e-3 if is_hidden_matrix(name, a) else 1e-5  # bfloat16 products, in another order
        torch.testing.assert_close(
            a, b, rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


def adam(parameters):
    return torch.optim.AdamW(parameters, lr=0.003, betas=(0.9, 0.95), weight_decay=0.0)


def steps_together(model, *optimizers):
    for seed in range(4):
        backward(model, seed)
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()


def test_every_parameter_is_in_one_group():
    model = tiny(qkv_bias=True, tied=False)
    muon, rest = MuonAdamW(model).param_groups
    assert len(muon["params"]) == 2 * 4
    assert len(muon["params"]) + len(rest["params"]) == len(list(model.parameters()))


def test_state_dict_goes_on_bit_for_bit():
    model = tiny()
    optimizer = MuonAdamW(model)
    steps(model, optimizer)
    other = copy.deepcopy(model)
    restored = MuonAdamW(other)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(model, optimizer)
    steps(other, restored)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def one_step(model, latents, *optimizers):
    backward(model, latents, latents)
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad()


def thinks(feedback):
    model = thinking(tiny(), 2, feedback, scale=None, seed=0)
    model.products = REDUCED  # as torch's Muon, always
    return model


@pytest.mark.parametrize("feedback", FEEDS)
def test_what_has_no_gradient_in_a_step_stays_as_it_is(feedback):
    """A row without latents teaches what feeds them nothing; its matrix has the shape of the blocks'."""
    ours, theirs = thinks(feedback), thinks(feedback)
    matrices = [p for n, p in theirs.named_parameters() if is_hidden_matrix(n, p)]
    others = [p for n, p in theirs.named_parameters() if not is_hidden_matrix(n, p)]
    muon = MuonAdamW(ours, lr=0.01, weight_decay=0.1, adam_lr=0.003)
    torchs = torch.optim.Muon(matrices, lr=0.01, weight_decay=0.1), adam(others)
    for latents in (0, 2, 0):
        before = copy.deepcopy(ours.feed)
        one_step(ours, latents, muon)
        one_step(theirs, latents, *torchs)
        both = zip(ours.feed.parameters(), before.parameters(), strict=True)
        learned = {not torch.equal(a, b) for a, b in both}
        assert learned <= {latents > 0} or feedback == "pause"  # which is read everywhere, and left aside
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=2e-3)  # as above


@pytest.mark.parametrize("earlier", [False, True])
def test_training_goes_on_bit_for_bit_where_a_matrix_begins_to_learn(earlier):
    """Also from a checkpoint of an earlier version, which has no momentum of what had not learned yet."""
    model = thinks("projected")
    optimizer = MuonAdamW(model)
    one_step(model, 0, optimizer)
    other, saved = copy.deepcopy(model), copy.deepcopy(optimizer.state_dict())
    if earlier:
        shared = next(s for s in saved["state"].values() if s.get("momentum", noise(0)).shape == (3, 32, 32))
        shared["momentum"] = shared["momentum"][:2].clone()
    restored = MuonAdamW(other)
    restored.load_state_dict(saved)
    for latents in (2, 0, 2):
        one_step(model, latents, optimizer)
        one_step(other, latents, restored)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def of_singular_values(values):
    """(1, n, n): a matrix of these."""
    left, right = (torch.linalg.qr(noise(1, len(values), len(values) + k))[0] for k in (0, 1))
    return left * values @ right.mT


@pytest.mark.parametrize("iteration", ITERATIONS.values(), ids=ITERATIONS)
@pytest.mark.parametrize("products", [FULL, REDUCED])
@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 40, 16), (2, 16, 40)])
def test_orthogonalize(shape, products, iteration):
    singular = torch.linalg.svdvals(orthogonalize(noise(*shape), products, iteration))
    assert singular.max() < 1.3
    assert singular.median() > 0.6


@pytest.mark.parametrize("products", [FULL, REDUCED])
@pytest.mark.parametrize("rank", [1, 2, 16])
def test_no_singular_value_leaves_the_range_of_the_polynomials(rank, products):
    """The norm that is divided by is no smaller than the largest, whose polynomial grows fast beyond one."""
    values = torch.cat([torch.ones(rank), torch.zeros(16 - rank)])
    for size in (1e-6, 1.0, 1e4):
        found = orthogonalize(size * of_singular_values(values), products, ITERATIONS["polar_express"])
        assert torch.linalg.svdvals(found)[0, :rank].min() > 0.7
        assert torch.linalg.svdvals(found).max() < 1.25


def test_four_steps_bring_small_singular_values_as_near_to_one_as_five():
    """Of a matrix whose singular values are alike but for a few small ones."""
    least = {}
    for name, iteration in ITERATIONS.items():
        values = torch.ones(64)
        values[:4] = 0.04
        least[name] = float(
            torch.linalg.svdvals(orthogonalize(of_singular_values(values), FULL, iteration)).min()
        )
    assert least["polar_express"] > 0.95 * least["jordan"]


def test_each_polynomial_is_the_best_for_what_those_before_leave():
    """Its error is largest, with alternating signs, at four points (Chebyshev), of [0.003, 1] at first."""
    low, high = 0.003, 1.0
    for a, b, c in ITERATIONS["polar_express"].polynomials:
        x = torch.linspace(low, high, 200_001, dtype=torch.float64)
        error = 1 - (a * x + b * x**3 + c * x**5)
        turns = 1 + torch.nonzero(error.diff()[:-1] * error.diff()[1:] < 0).flatten()
        extremes = error[torch.cat([torch.tensor([0]), turns, torch.tensor([len(x) - 1])])]
        assert len(extremes) == 4
        assert (extremes[:-1] * extremes[1:] < 0).all()
        assert extremes.abs().min() > 0.98 * extremes.abs().max()
        low, high = float(1 - extremes.max()), float(1 - extremes.min()) * ROOM


@pytest.mark.parametrize("iteration", ITERATIONS.values(), ids=ITERATIONS)
def test_the_gram_matrix_gives_the_same(iteration):
    """To a thousandth of a singular value, also where these span six orders of magnitude, and of zeros."""
    left, right = torch.linalg.qr(noise(3, 16, 16))[0], torch.linalg.qr(noise(3, 40, 40))[0][:, :16]
    steep = left * torch.logspace(0, -6, 16) @ right
    for x in (noise(3, 16, 40), steep, torch.zeros(3, 16, 40)):
        torch.testing.assert_close(_by_gram(x, iteration), _directly(x, iteration), rtol=0, atol=1e-3)


def test_queries_keys_and_values_have_one_speed_each():
    """However much larger the gradient of one of them is; together, the largest takes it all."""
    sizes = {}
    for split in (True, False):
        model = tiny(kv_heads=4)  # values of full rank: they can take all directions
        weight = model.blocks[0].qkv.weight
        before = weight.detach().clone()
        rows = model.stacks["blocks.0.qkv.weight"]
        assert sum(rows) == len(weight)
        optimizer = MuonAdamW(model, lr=1.0, split=split)
        weight.grad = noise(*weight.shape)
        weight.grad[: rows[0] + rows[1]] *= 1e-3
        optimizer.step()
        parts = (weight.detach() - before).split(rows)
        sizes[split] = [float(torch.linalg.matrix_norm(part, 2)) for part in parts]
    assert min(sizes[True]) > 0.6
    assert max(sizes[False][:2]) < 0.1 < sizes[False][2]


def test_muon_multiplies_in_the_model_s_format():
    """Its updates are numbers of that format, and no others are."""
    for products in (FULL, REDUCED):
        model = tiny()
        model.products = products
        before = copy.deepcopy(model)
        optimizer = MuonAdamW(model, lr=1.0)
        backward(model, 0)
        optimizer.step()
        update = (before.blocks[0].out.weight - model.blocks[0].out.weight).detach()
        error = (update.to(REDUCED).float() - update).abs().max()
        assert (error < 1e-6) == (products == REDUCED)


@pytest.mark.parametrize("path", sorted((CONF / "optim").glob("*.yaml")), ids=lambda path: path.stem)
def test_configs(path):
    config = compose(Training, "train", f"optim={path.stem}").optim
    model = tiny()
    backward(model, 0)
    optimizer = hydra.utils.instantiate(config["optimizer"])(model)
    optimizer.step()
    assert 0 < hydra.utils.instantiate(config["schedule"])(50, 0.1) <= 1


def test_adamw_decays_matrices_alone():
    matrices, vectors = adamw(tiny()).param_groups
    assert {p.ndim for p in matrices["params"]} == {2}
    assert vectors["weight_decay"] == 0 != matrices["weight_decay"]


def test_linear_schedule():
    schedule = Linear(warmup=100, decay=0.5)
    assert schedule(0, 0.0) == pytest.approx(1 / 101)
    assert schedule(100, 0.1) == schedule(5000, 0.5) == 1.0
    assert schedule(5000, 0.75) == pytest.approx(0.5)
    assert schedule(5000, 1.0) == 0.0
    assert Linear(warmup=0, decay=0.0)(9, 1.0) == 1.0
    floored = Linear(warmup=0, decay=0.5, floor=0.2)
    assert [floored(9, used) for used in (0.5, 0.75, 1.0)] == pytest.approx([1.0, 0.6, 0.2])


def test_cosine_schedule():
    schedule = Cosine(warmup=0, floor=0.1)
    assert [schedule(9, used) for used in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.55, 0.1])


def test_budget():
    progress = Progress(steps=5, tokens=300, examples=7, minutes=0.5)
    assert Budget(tokens=600).used(progress) == Budget(minutes=1).used(progress) == 0.5
    assert Budget(steps=3).used(progress) == 1.0
    for wrong in ({}, {"steps": 1, "tokens": 1}):
        with pytest.raises(ValueError, match="give one of"):
            Budget(**wrong)
    with pytest.raises(ValueError, match="more than 0"):
        Budget(steps=0)
