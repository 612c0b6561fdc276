"""A run that is killed and resumed ends with the weights of the run that was not, bit for bit."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import lightning
import pytest
import torch

from tests.helpers.engine import fit, learner
from tests.helpers.forked import start
from tracelab.evaluation import curves
from tracelab.loggers import CSV
from tracelab.runs.checkpoints import load_seconds, load_weights, sound
from tracelab.runs.signals import heeded
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
    with start("-c", code, cwd=CLONE) as process:
        while not (tmp_path / "last.ckpt").exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.05 * (os.getpid() % 10))  # a random step
        process.kill()
        assert process.wait().returncode == -signal.SIGKILL
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


@pytest.fixture
def without_nohup():
    """As a terminal starts a program, however the tests were started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("without_nohup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_what_ends_a_job_leaves_a_checkpoint(whole, tmp_path, number):
    """Batch systems send it some time before they kill."""

    class Told(lightning.Callback):
        def on_before_optimizer_step(self, trainer, *_):
            if trainer.global_step == 12:
                signal.raise_signal(number)

    before = signal.getsignal(number)
    with pytest.raises(SystemExit):
        train(tmp_path, callbacks=[Told()], every=1000)
    assert signal.getsignal(number) == before
    assert full_state(tmp_path / "last.ckpt")["progress"]["steps"] == 13
    train(tmp_path, resume=tmp_path / "last.ckpt")
    assert equal(whole, tmp_path)


@pytest.mark.parametrize("step", [16, STEPS])
def test_ctrl_c_in_a_validation_stops_after_it(whole, tmp_path, step):
    """After the last one, too: what comes next is the evaluation, which takes minutes."""

    class CtrlC(lightning.Callback):
        def on_validation_start(self, trainer, *_):
            if trainer.global_step == step:
                signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit):
        train(tmp_path, callbacks=[CtrlC()], every=1000)
    signal.signal(signal.SIGINT, before)  # Lightning ignores it from here on
    assert full_state(tmp_path / "last.ckpt")["progress"]["steps"] == step
    train(tmp_path, resume=tmp_path / "last.ckpt")
    assert equal(whole, tmp_path)


@pytest.mark.usefixtures("without_nohup")
def test_nohup_keeps_its_promise():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in heeded()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert set(heeded()) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}


@pytest.mark.parametrize("name", ["exp::v2", "memory:", "[0]"])
def test_checkpoints_are_files_beside_their_place(tmp_path, monkeypatch, name):
    """A folder's name is no address, the folder of temporary files is not needed, and leftovers go."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / ".last.ckpt.0123456789ab.partial").write_text("of a run that was killed")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    train(folder, steps=7)
    assert train(folder, steps=9, resume=folder / "last.ckpt").progress.steps == 9
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(whole, tmp_path, share):
    last, best = tmp_path / "last.ckpt", tmp_path / "best.ckpt"
    assert sound(last, best) is None
    content = (whole / "last.ckpt").read_bytes()
    last.write_bytes(content[: int(share * len(content))])
    for read in (lambda: sound(last, best), lambda: load_weights(last)):
        with pytest.raises(ValueError, match=r"last\.ckpt is damaged, or no checkpoint"):
            read()
    shutil.copy(whole / "best.ckpt", best)
    with pytest.warns(UserWarning, match=r"best\.ckpt is taken, which is older"):
        assert sound(last, best) == best
    last.write_bytes(content)
    assert sound(last, best) == last


def test_a_larger_budget_continues_and_a_spent_one_does_nothing(tmp_path):
    train(tmp_path, steps=10)
    before = full_state(tmp_path / "last.ckpt")
    assert train(tmp_path, steps=10, resume=tmp_path / "last.ckpt").progress.steps == 10
    after = full_state(tmp_path / "last.ckpt")
    for name in ("progress", "state_dict", "optimizer_states", "torch_rng"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0, msg=name)
    assert train(tmp_path, steps=15, resume=tmp_path / "last.ckpt").progress.steps == 15


class Spoil(lightning.Callback):
    """Makes a resumed model worse than it was."""

    def on_train_start(self, trainer, module):
        with torch.no_grad():
            module.model.embed.weight.normal_()


def test_best_is_kept_over_a_resume(tmp_path):
    train(tmp_path, steps=17)
    best = (tmp_path / "best.ckpt").read_bytes()
    assert full_state(tmp_path / "best.ckpt")["progress"]["steps"] in (8, 16, 17)
    train(tmp_path, steps=25, resume=tmp_path / "last.ckpt", callbacks=[Spoil()])
    assert (tmp_path / "best.ckpt").read_bytes() == best


def test_the_best_after_the_last_checkpoint_is_the_one_to_beat(tmp_path):
    """The last validation comes after `last.ckpt`, which knows of earlier ones alone."""
    train(tmp_path, steps=17)
    best, last = (full_state(tmp_path / f"{name}.ckpt") for name in ("best", "last"))
    key = Checkpoints(tmp_path).state_key
    least, earlier = (state["callbacks"][key]["best"] for state in (best, last))
    assert best["progress"]["steps"] == 17
    assert least < earlier

    to_beat, checkpoints = [], Checkpoints(tmp_path, 100)

    class Look(lightning.Callback):
        def on_train_batch_end(self, *_):
            to_beat.append(checkpoints.best)

    fit(
        learner(Budget(steps=20), trace_weight=0.5),
        callbacks=[Look(), checkpoints],
        resume=tmp_path / "last.ckpt",
        val_check_interval=8,
    )
    assert to_beat == [least] * 3


def test_a_best_checkpoint_of_steps_that_are_taken_again_is_none_to_beat(tmp_path):
    """What was killed before its first `last.ckpt` begins anew; on a GPU it may come out otherwise."""
    train(tmp_path, steps=17)
    (tmp_path / "last.ckpt").unlink()
    to_beat, checkpoints = [], Checkpoints(tmp_path, 100)

    class Look(lightning.Callback):
        def on_train_batch_end(self, *_):
            to_beat.append(checkpoints.best)

    fit(learner(Budget(steps=2)), callbacks=[Look(), checkpoints], val_check_interval=8)
    assert to_beat == [float("inf")] * 2


def test_the_best_is_of_what_is_there(tmp_path):
    """Where none is, whoever goes on there finds one at the end, if it is no better than one elsewhere."""
    train(tmp_path / "a", steps=17)
    train(tmp_path / "b", steps=25, resume=tmp_path / "a" / "last.ckpt", callbacks=[Spoil()])
    assert full_state(tmp_path / "b" / "best.ckpt")["progress"]["steps"] > 17


def logged(folder, steps, callbacks=(), every=13):
    """The rows of metrics.csv, without what takes another time each time; the run goes on if it was begun."""
    last = folder / "last.ckpt"
    fit(
        learner(Budget(steps=steps)),
        callbacks=[Checkpoints(folder, every), *callbacks],
        resume=last if last.is_file() else None,
        logger=[CSV(folder / "metrics.csv")],
        log_every_n_steps=5,
        val_check_interval=3,
    )
    timed = ("minutes", "second", "wait")
    return [
        {name: value for name, value in row.items() if not any(word in name for word in timed)}
        for row in curves.read(folder / "metrics.csv")
    ]


def test_a_resumed_log_has_every_row_of_one_that_was_not(tmp_path):
    """Of validations between the last line of the log and the checkpoint, too."""
    whole = logged(tmp_path / "whole", 20)
    assert [row["step"] for row in whole] == ["2", "4", "5", "8", "9", "11", "14", "17", "19"]
    with pytest.raises(RuntimeError, match="crash"):
        logged(tmp_path / "cut", 20, callbacks=[StopAt(18, RuntimeError("crash"))])
    assert logged(tmp_path / "cut", 20) == whole


def test_a_log_that_goes_on_from_the_best_numbers_its_rows_by_steps(tmp_path):
    """A checkpoint that was written in a validation has one batch less behind it, by Lightning's count."""
    found = []
    for name in ("last", "best"):
        folder = tmp_path / name
        logged(folder, 4)
        assert full_state(folder / "best.ckpt")["progress"]["steps"] == 4
        shutil.copy(folder / f"{name}.ckpt", folder / "last.ckpt.of")
        (folder / "last.ckpt.of").replace(folder / "last.ckpt")
        found.append(logged(folder, 15))
    assert [row["step"] for row in found[0]] == [row["step"] for row in found[1]]
    assert [row["train/tokens"] for row in found[0]] == [row["train/tokens"] for row in found[1]]


def test_an_extended_log_keeps_the_last_row_that_it_had(tmp_path):
    """Even if the checkpoint has an older one for it, as earlier versions left it."""
    before, last = logged(tmp_path, 8)[-1], tmp_path / "last.ckpt"
    assert before["step"] == "7"
    content = full_state(last)
    (state,) = (state for state in content["callbacks"].values() if "row" in state)
    assert str(state["row"]["train/tokens"]) == before["train/tokens"]
    state["row"] |= {"train/tokens": 1.0, "train/loss": 1.0}
    torch.save(content, last)
    (after,) = (row for row in logged(tmp_path, 12) if row["step"] == "7")
    assert {name: after[name] for name in before} == before


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_a_step_of_several_batches_is_whole_in_a_checkpoint(tmp_path, number):
    """Whatever is told in between, and whatever is validated."""

    class Told(lightning.Callback):
        def on_train_batch_end(self, trainer, learner, *_):
            if trainer.fit_loop.epoch_loop.total_batch_idx == 4 * 7 + 1:
                signal.raise_signal(number)

    accumulated = {"accumulate_grad_batches": 4, "val_check_interval": 8}
    fit(learner(Budget(steps=12)), callbacks=[Checkpoints(tmp_path / "whole", 5)], **accumulated)
    before, stopped = signal.getsignal(number), Checkpoints(tmp_path / "cut", 5)
    with pytest.raises(SystemExit):
        fit(learner(Budget(steps=12)), callbacks=[Told(), stopped], **accumulated)
    signal.signal(number, before)
    last = tmp_path / "cut" / "last.ckpt"
    assert full_state(last)["progress"]["steps"] == 8
    fit(learner(Budget(steps=12)), callbacks=[Checkpoints(last.parent, 5)], resume=last, **accumulated)
    assert full_state(last)["progress"]["steps"] == 12
    assert equal(tmp_path / "whole", tmp_path / "cut")


def test_seconds_add_up_over_sessions(tmp_path, monkeypatch):
    """Of what led to the checkpoint, however a session ended; the time of day does not matter."""
    clock = {"now": 1000.0}
    timer = SimpleNamespace(monotonic=lambda: clock["now"])
    monkeypatch.setattr("tracelab.training.checkpoint.time", timer)

    class Tick(lightning.Callback):
        def on_train_batch_start(self, *_):
            clock["now"] += 1

    crash = StopAt(8, RuntimeError("a crash"))
    with pytest.raises(RuntimeError, match="a crash"):
        train(tmp_path, callbacks=[Tick(), crash])
    assert load_seconds(tmp_path / "last.ckpt") == 5
    clock["now"] = 20.0  # of another machine
    train(tmp_path, steps=9, resume=tmp_path / "last.ckpt", callbacks=[Tick()])
    assert load_seconds(tmp_path / "last.ckpt") == 9
