"""The loss, the budget, what is logged, and when training refuses to go on."""

import copy
import csv
import itertools
import math
from types import SimpleNamespace

import hydra
import lightning
import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.helpers.engine import CONTEXT, VOCABULARY, fit, learner, loader, sequences, tiny, validation
from tracelab.batches.loader import Loader
from tracelab.batches.padding import collate
from tracelab.core.codec import Sequences
from tracelab.core.paths import CONF
from tracelab.loggers import CSV
from tracelab.optim.adamw import adamw
from tracelab.runs.checkpoints import load_weights
from tracelab.training.budget import Budget
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.losses import means, padded_losses
from tracelab.training.progress import ProgressLine, figures


def loss_of(module, data):
    return module.loss(collate(data, pad=0))[0]


def test_weights_against_a_hand_computation():
    module = learner(trace_weight=0.25, solution_weight=2.0)
    data = sequences(3)
    total = weight = 0.0
    for i, row in enumerate(data.tokens):
        row = torch.from_numpy(row.astype(np.int64))
        losses = cross_entropy(module.model(row[None, :-1])[0], row[1:], reduction="none")
        for j in range(3, len(row)):
            w = 0.25 if j < 3 + data.trace[i] else 2.0
            total, weight = total + w * losses[j - 1], weight + w
    torch.testing.assert_close(loss_of(module, data), total / weight)


def test_a_mean_of_nothing_is_refused():
    data = sequences(3)
    data = Sequences(data.tokens, data.prompt, np.zeros(3, np.int32))
    with pytest.raises(ValueError, match=r"loss\.solution_weight=0, and a batch has no other tokens"):
        loss_of(learner(solution_weight=0.0), data)


def test_padding_never_changes_the_loss():
    module, data = learner(), sequences(8)
    alone = [(loss_of(module, data.take(np.array([i]))), len(data.tokens[i]) - 3) for i in range(8)]
    mean = sum(loss * n for loss, n in alone) / sum(n for _, n in alone)
    torch.testing.assert_close(loss_of(module, data), mean, rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimizer", [None, lambda model: adamw(model, lr=1e-2)])
def test_overfits_one_batch(optimizer):
    data = sequences(4)
    options = {} if optimizer is None else {"optimizer": optimizer}
    module = learner(Budget(steps=150), **options)
    fit(module, loader(data))
    assert loss_of(module, data) < 0.1


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"steps": 7}, 7),
        ({"examples": 40}, None),
        ({"tokens": 900}, None),
        ({"minutes": 0.002}, None),
        ({"flops": 1e8}, None),
    ],
)
def test_the_budget_ends_training(budget, steps):
    module = learner(Budget(**budget))
    fit(module)
    unit, amount = next(iter(budget.items()))
    assert getattr(module.progress, unit) >= amount
    assert steps in (None, module.progress.steps)
    assert module.progress.tokens > module.progress.completion_tokens > 0
    read = module.progress.tokens - module.progress.examples
    assert module.model.flops(read, read) < module.progress.flops < module.model.flops(read, read * 64)


def test_accumulated_batches_are_one_step():
    """Its gradient is the mean of theirs, and what is logged is of all their tokens."""
    module = learner(Budget(steps=1))
    first, batches = copy.deepcopy(module), [*itertools.islice(loader(), 4)]
    logged = fit(module, accumulate_grad_batches=4, log_every_n_steps=1).callback_metrics
    losses = [first.loss(batch)[0] for batch in batches]
    (sum(losses) / 4).backward()
    norm = torch.nn.utils.clip_grad_norm_(first.parameters(), math.inf)
    torch.testing.assert_close(logged["train/grad_norm"], norm)
    tokens = [batch.counts.completion_tokens for batch in batches]
    mean = sum(loss.detach() * n for loss, n in zip(losses, tokens, strict=True)) / sum(tokens)
    torch.testing.assert_close(logged["train/loss"], mean)
    assert module.progress.steps == 1
    assert module.progress.examples == sum(batch.counts.examples for batch in batches)


def test_the_speed_of_a_step_is_of_all_its_batches(monkeypatch):
    minutes = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: 60 * next(minutes))  # a batch is a minute
    monkeypatch.setattr("tracelab.training.learner.time", clock)
    module = learner(Budget(steps=1))
    logged = fit(module, accumulate_grad_batches=4, log_every_n_steps=1).callback_metrics
    assert float(logged["train/tokens_per_second"]) == pytest.approx(module.progress.tokens / 240)


def rows_of(path, **options):
    """The rows of metrics.csv, by step, that a run of 8 steps writes."""
    fit(learner(Budget(steps=8)), logger=[CSV(path)], **options)
    with path.open(newline="") as file:
        return {int(row["step"]): row for row in csv.DictReader(file)}


def test_the_last_step_is_logged_as_it_was(tmp_path):
    """Not as one before it, whatever is between two lines of the log."""
    each, few = (rows_of(tmp_path / f"{every}.csv", log_every_n_steps=every) for every in (1, 5))
    assert sorted(few) == [4, 7]
    timed = {"train/minutes", "train/tokens_per_second", "train/data_wait_ms"}
    for step, row in few.items():
        assert row.keys() == each[step].keys() >= timed
        assert {k: v for k, v in row.items() if k not in timed} == {
            k: v for k, v in each[step].items() if k not in timed
        }


def test_a_row_has_nothing_of_an_earlier_step(tmp_path):
    """A batch without traces has no loss of theirs."""
    data = sequences(12)
    without = Sequences(data.tokens, data.prompt, np.zeros(12, np.int32))
    chunks = Loader(lambda k: without if k else data, batch_tokens=256, context=CONTEXT)
    rows = rows_of(tmp_path / "metrics.csv", train=chunks, log_every_n_steps=1)
    assert rows[0]["train/trace_loss"]
    assert not rows[7]["train/trace_loss"]
    assert rows[7]["train/loss"] == rows[7]["train/solution_loss"]


def test_logs(tmp_path):
    module = learner(Budget(steps=12), trace_weight=0.5)
    logger = lightning.pytorch.loggers.CSVLogger(tmp_path)
    run = fit(module, logger=logger, log_every_n_steps=4, val_check_interval=6, gradient_clip_val=1.0)
    metrics = run.callback_metrics
    for name in ("loss", "trace_loss", "solution_loss", "tokens_per_second", "tokens", "lr", "grad_norm"):
        assert math.isfinite(metrics[f"train/{name}"]), name
    assert metrics["train/tokens"] == module.progress.tokens
    torch.testing.assert_close(metrics["val/loss"], loss_of(module, sequences(10, seed=5)).detach())
    rows = (tmp_path / "lightning_logs/version_0/metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 + 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("tokens", [0, 3])
def test_a_mean_that_is_not_finite_is_not_hidden(value, tokens):
    """As 0 it would be the best there was."""
    sums = {"trace": 0.0, "trace tokens": tokens, "solution": value, "solution tokens": 1}
    found = means({name: torch.tensor(each) for name, each in sums.items()}, {"trace": 1.0, "solution": 1.0})
    assert not math.isfinite(found["loss"])
    assert ("trace_loss" in found) == (tokens > 0)


def test_no_trace_no_trace_loss():
    data = sequences(20)
    data = Sequences(data.tokens, data.prompt, np.zeros(20, np.int32))
    run = fit(learner(Budget(steps=2)), loader(data), log_every_n_steps=2)
    assert "train/trace_loss" not in run.callback_metrics
    assert run.callback_metrics["train/loss"] == run.callback_metrics["train/solution_loss"]


@pytest.mark.parametrize(
    ("late", "every", "step"),
    [
        (False, 4, 5),
        (True, 4, 7),  # as on a GPU: when the log's next line is due
        (True, 1000, 10),  # or something is to be saved
    ],
)
def test_not_a_number_stops_training_and_spoils_no_checkpoint(tmp_path, late, every, step):
    class Breaks(lightning.Callback):
        def on_before_zero_grad(self, trainer, module, optimizer):
            if trainer.global_step == 5:
                module.model.norm.weight.register_hook(lambda grad: grad * float("nan"))

        def on_train_start(self, trainer, module):
            module._on_gpu = late

    module = learner(Budget(steps=12))
    with pytest.raises(ValueError, match=f"norm is nan at step {step}"):
        fit(module, callbacks=[Breaks(), Checkpoints(tmp_path, every=5)], log_every_n_steps=every)
    assert module.progress.steps == step
    saved = load_weights(tmp_path / "last.ckpt")
    assert all(weight.isfinite().all() for weight in saved.values())
    if not late:
        assert all(torch.equal(saved[name], weight) for name, weight in module.model.state_dict().items())


def test_context_error_reaches_the_user():
    with pytest.raises(ValueError, match="the model's context is 30"):
        fit(learner(), loader(context=30))


def test_progress_lines(capsys):
    fit(learner(Budget(steps=4)), callbacks=[ProgressLine(seconds=0)], log_every_n_steps=2)
    lines = capsys.readouterr().err.splitlines()
    assert "100%" in lines[-1]
    assert "tokens/s" in lines[-1]
    assert "loss" in lines[-1]


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_trainer_configs(name):
    with hydra.initialize_config_dir(str(CONF), version_base=None):
        config = hydra.compose("trainer/" + name)["trainer"]
    assert config["precision"] == "auto"  # decided when a run begins
    run = hydra.utils.instantiate(config, logger=False, accelerator="cpu", precision="32-true")
    assert isinstance(run, lightning.Trainer)
    module = learner(Budget(steps=2))
    run.fit(module, loader(), validation())
    assert module.progress.steps == 2


def test_what_a_gpu_compiles_is_no_training(monkeypatch):
    """Its first two batches count, the minutes that they take do not."""

    class OnGpu(lightning.Callback):
        def on_train_start(self, trainer, module):
            module._on_gpu = True

    minutes = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: 60 * next(minutes))  # a batch is a minute
    monkeypatch.setattr("tracelab.training.learner.time", clock)
    module = learner(Budget(steps=5))
    run = fit(module, callbacks=[OnGpu()], log_every_n_steps=1)
    assert module.progress.minutes == 3
    assert module.progress.tokens > 5 * 200
    assert run.callback_metrics["train/compile_seconds"] == 120
    assert run.callback_metrics["train/tokens_per_second"] < 256 / 60


def test_the_progress_line_does_not_wait_for_a_gpu():
    """What lies there is as it was when it was last fetched."""

    class There:
        is_cuda = True

        def __float__(self):
            raise AssertionError("it waits")

    logged = {"train/loss": There(), "val/loss": There(), "train/mfu": torch.tensor(0.5)}
    trainer = SimpleNamespace(callback_metrics=logged)
    known = figures(trainer, learner(), {"train/loss": 0.25})
    assert known == {"train/loss": 0.25, "train/mfu": 0.5}


def test_compiled_or_not_is_decided_by_the_device():
    module = learner(Budget(steps=1), model=tiny())
    fit(module)
    assert module.model.vocab_size == VOCABULARY
    assert module._padded is padded_losses
