"""A run that is killed and resumed ends with the weights of the run that was not, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lightning
import pytest
import torch

from tests.helpers.engine import fit, learner
from tracelab.runs.checkpoints import load_weights
from tracelab.training.budget import Budget
from tracelab.training.checkpoint import Checkpoints

STEPS = 40
CLONE = Path(__file__).parents[2]


def train(folder, steps=STEPS, every=5, resume=None, slow=0.0, callbacks=()):
    """A run of `steps` steps with checkpoints in `folder`; returns the learner."""

    class Slow(lightning.Callback):
        def on_train_batch_end(self, *_):
            time.sleep(slow)

    module = learner(Budget(steps=steps), trace_weight=0.5)
    fit(
        module,
        callbacks=[Slow(), Checkpoints(folder, every), *callbacks],
        resume=resume,
        val_check_interval=8,
    )
    return module


def equal(folder, other):
    a, b = load_weights(folder / "last.ckpt"), load_weights(other / "last.ckpt")
    return all(torch.equal(a[name], b[name]) for name in a)


def full_state(path):
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


class StopAt(lightning.Callback):
    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise self.error


@pytest.mark.parametrize(("step", "every"), [(6, 5), (10, 5), (16, 5), (39, 5), (17, 8), (24, 8)])
def test_resume_after_a_crash(whole, tmp_path, step, every):
    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path, every=every, callbacks=[StopAt(step, RuntimeError("crash"))])
    resumed = train(tmp_path, resume=tmp_path / "last.ckpt")
    assert equal(whole, tmp_path)
    assert resumed.progress.steps == STEPS
    a, b = full_state(whole / "last.ckpt"), full_state(tmp_path / "last.ckpt")
    assert {**a["progress"], "minutes": 0} == {**b["progress"], "minutes": 0}


def test_resume_after_sigkill(whole, tmp_path):
    code = f"from tests.training.test_resume import *; train(Path({str(tmp_path)!r}), slow=0.05)"
    environment = {**os.environ, "PYTHONPATH": f"{CLONE}:{CLONE / 'src'}"}
    with subprocess.Popen([sys.executable, "-c", code], cwd=CLONE, env=environment) as process:
        while not (tmp_path / "last.ckpt").exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.05 * (os.getpid() % 10))  # a random step
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert full_state(tmp_path / "last.ckpt")["progress"]["steps"] < STEPS
    train(tmp_path, resume=tmp_path / "last.ckpt")
    assert equal(whole, tmp_path)


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint(whole, tmp_path):
    class CtrlC(lightning.Callback):
        def on_before_optimizer_step(self, trainer, *_):
            if trainer.global_step == 12:
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit):
        train(tmp_path, callbacks=[CtrlC()], every=1000)
    signal.signal(signal.SIGINT, before)  # Lightning ignores it from here on
    assert full_state(tmp_path / "last.ckpt")["progress"]["steps"] == 13
    train(tmp_path, resume=tmp_path / "last.ckpt")
    assert equal(whole, tmp_path)


def test_a_larger_budget_continues_and_a_spent_one_does_nothing(tmp_path):
    train(tmp_path, steps=10)
    before = (tmp_path / "last.ckpt").read_bytes()
    assert train(tmp_path, steps=10, resume=tmp_path / "last.ckpt").progress.steps == 10
    assert full_state(tmp_path / "last.ckpt")["progress"]["steps"] == 10
    assert before
    assert train(tmp_path, steps=15, resume=tmp_path / "last.ckpt").progress.steps == 15


def test_best_is_kept_over_a_resume(tmp_path):
    train(tmp_path, steps=17)
    best = full_state(tmp_path / "best.ckpt")["progress"]["steps"]
    assert best in (8, 16, 17)
    state = full_state(tmp_path / "last.ckpt")["callbacks"]
    assert any(0 < s.get("best", 0) < float("inf") for s in state.values())


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_previous_checkpoint(tmp_path, monkeypatch, broken):
    train(tmp_path, steps=5)
    good = (tmp_path / "last.ckpt").read_bytes()

    def fails(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, broken, fails)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path, steps=10, resume=tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").read_bytes() == good
