"""What every model in conf/model promises (`models.base.Model`), each at a small size."""

import copy
import inspect
import signal

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import get_class

from tests.helpers.runs import SMALL
from tests.posttraining.test_posttrain import settings
from tracelab.core.paths import CONF
from tracelab.core.ragged import Ragged
from tracelab.decoding.sampling import generate
from tracelab.models.base import Model
from tracelab.models.recurrent import scan
from tracelab.optim.muon import MuonAdamW
from tracelab.posttraining.experiment import posttrain
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.entry import compose
from tracelab.training.experiment import train
from tracelab.training.learner import Learner
from tracelab.training.settings import Training

TINY = {"layers": 2, "width": 32, "heads": 4, "kv_heads": 2, "mlp": 48, "inner": 24}
RECURRENT = [*(word for word in SMALL if "model.heads" not in word), "model=mingru", "model.inner=32"]


def built(path, **more):
    """The model of a YAML at a small size, moved off its initial weights."""
    config = yaml.safe_load(path.read_text())
    kind = get_class(config.pop("_target_"))
    knobs = config | {k: v for k, v in TINY.items() if k in inspect.signature(kind).parameters}
    knobs |= {"vocab_size": 20, "context": 32} | more
    model = kind(**knobs)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    return model.eval()


@pytest.fixture(params=sorted((CONF / "model").glob("*.yaml")), ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def model(path):
    return built(path)


def tokens(*shape):
    return torch.randint(20, shape, generator=torch.Generator().manual_seed(0))


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-4)


@torch.no_grad()
def test_no_token_sees_a_later_one(model):
    one = tokens(2, 12)
    other = one.clone()
    other[:, 7:] = (one[:, 7:] + 1) % 20
    a, b = model(one), model(other)
    assert a.shape == (2, 12, 20)
    assert a.dtype == torch.float32
    close(a[:, :7], b[:, :7])
    assert (a[:, 7:] - b[:, 7:]).abs().max() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("pieces", [[12], [5, 7], [5, 1, 1, 5], [1] * 12])
def test_read_in_pieces_is_read_at_once(model, pieces):
    whole = model(tokens(2, 12))
    past, parts = model.reading(torch.zeros(2, dtype=torch.int64)), []
    for part in tokens(2, 12).split(pieces, 1):
        parts.append(model.logits(model.hidden(part, past)))
    close(torch.cat(parts, 1), whole)


@torch.no_grad()
def test_padding_rows_and_branches_do_not_matter(model):
    """Rows of unequal length, left-padded; then some of them go on, one of them twice."""
    rows = [tokens(1, n)[0] for n in (9, 4, 6)]
    start = torch.tensor([0, 5, 3])
    padded = torch.zeros(3, 9, dtype=torch.int64)
    for i, row in enumerate(rows):
        padded[i, start[i] :] = row
    past = model.reading(start)
    logits = model.logits(model.hidden(padded, past))[:, -1]
    close(logits, torch.stack([model(row[None])[0, -1] for row in rows]))
    past.branch(torch.tensor([2, 1, 1]))
    new = torch.tensor([[3], [4], [5]])
    logits = model.logits(model.hidden(new, past))[:, -1]
    wanted = [torch.cat([rows[i], word]) for i, word in zip((2, 1, 1), new, strict=True)]
    close(logits, torch.stack([model(row[None])[0, -1] for row in wanted]))
    past.keep(torch.tensor([2, 0]))
    logits = model.logits(model.hidden(new[:2], past))[:, -1]
    wanted = [torch.cat([wanted[i], word]) for i, word in zip((2, 0), new[:2], strict=True)]
    close(logits, torch.stack([model(row[None])[0, -1] for row in wanted]))


@torch.no_grad()
def test_greedy_completions_are_the_likeliest_tokens(model):
    prompts = Ragged.of([[1, 2, 3], [4, 5, 6, 7, 8]])
    done = generate(model, prompts, stop=0, max_new=8)
    for prompt, completion in zip(prompts, done.tokens, strict=True):
        whole = torch.from_numpy(np.concatenate([prompt, completion]).astype(np.int64))[None]
        likeliest = model(whole)[0].argmax(-1)
        assert likeliest[len(prompt) - 1 : -1].tolist() == completion.tolist()


def test_seeds_make_models_and_muon_takes_matrices(path):
    one, same, other = (built(path, seed=seed) for seed in (0, 0, 1))
    assert isinstance(one, Model)
    assert torch.equal(one.embed.weight, same.embed.weight)
    assert not torch.equal(one.embed.weight, other.embed.weight)
    for name, rows in one.stacks.items():
        assert sum(rows) == len(one.get_parameter(name))
    for name, rows in one.parts.items():
        assert sum(rows) == len(one.get_parameter(name))
    gates = {name for name, _ in one.named_parameters() if "gate_up" in name}
    assert gates, "the case is tested"
    assert set(one.parts) == {*one.stacks} | gates
    assert not gates & {*one.stacks}, "Muon takes them as one"
    muon = MuonAdamW(one, split=True).param_groups[0]["params"]
    assert len(muon) == sum(p.ndim == 2 for p in one.blocks.parameters())


def test_flops_grow_with_tokens(model):
    each = 6 * sum(p.numel() for p in [*model.blocks.parameters(), model.head.weight] if p.ndim == 2)
    assert model.flops(10, 0) == 10 * each
    assert model.flops(10, 55) >= model.flops(10, 0)


def test_gradients_reach_every_parameter(model):
    model = copy.deepcopy(model).train()
    model(tokens(3, 10)).log_softmax(-1)[:, :-1].gather(2, tokens(3, 10)[:, 1:, None]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in model.parameters())


def interrupt_at(step):
    def hook(learner, batch, index):
        if learner.progress.steps == step:
            signal.raise_signal(signal.SIGINT)

    return hook


@pytest.mark.parametrize("T", [1, 31, 32, 33, 2000])
def test_a_recurrence_of_thousands_of_places_is_exact(T):
    """Against one place after another in float64; gates as sharp as these leave e^-60000 of the first."""
    torch.manual_seed(0)
    forget = -60 * torch.rand(2, T, 8)
    new = torch.randn(2, T, 8).requires_grad_()
    found = scan(forget, new)
    exact, kept = [], torch.full((2, 8), -torch.inf, dtype=torch.float64)
    wide = new.detach().double().requires_grad_()
    for t in range(T):
        kept = torch.logaddexp(kept + forget[:, t].double(), wide[:, t]) if t else wide[:, 0]
        exact.append(kept)
    wanted = torch.stack(exact, 1)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=3e-4)
    found.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(new.grad.double(), wide.grad, rtol=0, atol=1e-3)


def test_a_recurrent_model_goes_the_whole_way(tmp_path):
    """Trained, stopped and resumed, judged, and post-trained."""
    words = (Training, "train", *RECURRENT, "trace=correct")
    whole = train(compose(*words, f"run_dir={tmp_path / 'whole'}"))
    assert whole.metrics is not None
    stopped, before = compose(*words, f"run_dir={tmp_path / 'run'}"), signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "on_train_batch_start", interrupt_at(7))
        assert train(stopped).metrics is None
    signal.signal(signal.SIGINT, before)  # Lightning ignores it from here on
    assert train(stopped).state == "resumed"
    weights = [load_weights(tmp_path / run / "checkpoints" / "last.ckpt") for run in ("whole", "run")]
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))
    after = posttrain(settings(tmp_path / "run", tmp_path / "after", "budget.steps=1", "reward=[length]"))
    assert after.state == "finished"


def test_what_cannot_pack_says_so_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises(ValueError, match="Recurrent cannot keep packed documents apart"):
        train(compose(Training, "train", *RECURRENT, "data.packing=256", f"run_dir={tmp_path}"))
