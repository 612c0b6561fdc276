"""Two processes that share out Muon's matrices, and one that keeps them all."""

from types import SimpleNamespace

import pytest
import torch
from torch import distributed

from tests.helpers.engine import learner, tiny
from tests.helpers.forked import FORKED
from tests.optim.test_optim import backward
from tracelab.models.precision import FULL, REDUCED
from tracelab.optim import muon
from tracelab.optim.muon import MuonAdamW
from tracelab.optim.sharing import shared_out
from tracelab.training import processes
from tracelab.training.budget import Budget
from tracelab.training.processes import together

LAYERS = 3  # odd: one of two processes has a matrix more


def joined():
    """How Lightning starts processes on CPUs, without Lightning."""
    environment = processes.own_environment()
    rank = environment.global_rank()
    address = f"tcp://{environment.main_address}:{environment.main_port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    return rank


def a_model(products):
    torch.manual_seed(0)
    model = tiny(layers=LAYERS)
    model.products = products
    return model


def train(products, shares=False):
    """Four steps -> the model, and how many matrices went through orthogonalize."""
    treated = []
    model = a_model(products)
    optimizer = MuonAdamW(model, lr=0.01, weight_decay=0.1, split=True)
    optimizer.shares = shares
    plain = muon.orthogonalize

    def seen(matrices, *others):
        treated.append(len(matrices))
        return plain(matrices, *others)

    muon.orthogonalize = seen
    try:
        for seed in range(4):
            backward(model, seed)
            optimizer.step()
            optimizer.zero_grad()
    finally:
        muon.orthogonalize = plain
    return model, sum(treated)


def take_part(folder):
    rank = joined()
    for products in (FULL, REDUCED):
        model, treated = train(products, shares=True)
        torch.save((model.state_dict(), treated), folder / f"{products}-{rank}.pt")
    _, treated = train(FULL)  # each a model of its own, as far as it knows
    torch.save(treated, folder / f"alone-{rank}.pt")
    stack = torch.arange(10.0).view(5, 1, 2)
    for count in (5, 1):  # of one matrix the second process has none
        doubled = shared_out(stack[:count], lambda some: 2 * some, torch.float32)()
        assert torch.equal(doubled, 2 * stack[:count])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "start_processes", FORKED)
        together(2, take_part, folder)
    return folder


@pytest.mark.parametrize("products", [FULL, REDUCED])
def test_two_processes_take_one_s_steps_and_have_the_same_weights(folder, products):
    alone, all_matrices = train(products)
    (first, mine), (second, theirs) = (torch.load(folder / f"{products}-{rank}.pt") for rank in range(2))
    begun = a_model(products).state_dict()
    tolerance = 1e-5 if products == FULL else 2e-3
    for name, weight in alone.state_dict().items():
        torch.testing.assert_close(first[name], weight, rtol=0, atol=tolerance)
        assert torch.equal(first[name], second[name])
        assert not torch.equal(first[name], begun[name])
    assert mine + theirs == all_matrices
    assert mine == 2 * theirs  # of three matrices two and one
    assert [torch.load(folder / f"alone-{rank}.pt") for rank in range(2)] == [all_matrices] * 2


@pytest.mark.parametrize("processes", [1, 2])
def test_a_training_of_several_processes_shares(processes):
    module = learner(Budget(steps=1), optimizer=MuonAdamW)
    module._trainer = SimpleNamespace(world_size=processes)
    assert module.configure_optimizers().shares is (processes > 1)
