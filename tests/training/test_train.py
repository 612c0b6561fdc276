"""Whole runs, in small: what a run's folder holds, resuming it, sweeping, and what is refused."""

import json
import os
import shutil
import signal
import time

import pyarrow.parquet
import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

from tests.helpers.forked import run, start
from tests.helpers.runs import FORMATS, SMALL, small
from tests.helpers.shared import filled
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.folder import Run
from tracelab.runs.sets import prepare
from tracelab.training import checks
from tracelab.training.experiment import train
from tracelab.training.resuming import worked_out

FILES = (
    "config.yaml",
    "run.json",
    "data_card.json",
    "vocab.json",
    "metrics.csv",
    "metrics.json",
    "outcomes.parquet",
)
FIGURES = ("loss", "learning", "accuracy_and_validity", "examples")


@pytest.mark.parametrize("arm", ["correct", "solution_only", "swapped", "corrupted"])
def test_an_arm_from_problems_to_figures(tmp_path, arm, figures, monkeypatch):
    if arm != "correct":
        monkeypatch.setenv(FORMATS, "png")  # the other formats take as long again
    trained = train(small(tmp_path, f"trace={arm}"))
    assert all((tmp_path / name).is_file() for name in FILES)
    assert all((tmp_path / "figures" / f"{name}.png").stat().st_size > 5000 for name in FIGURES)
    assert list(trained.metrics) == ["wilson", "dfs"]
    assert all(m["solution_valid"]["n"] == 24 for m in trained.metrics.values())
    outcomes = pyarrow.parquet.read_table(tmp_path / "outcomes.parquet")
    assert outcomes.num_rows == 48
    assert set(outcomes["treatment"].to_pylist()) == {arm}
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "evaluated"
    assert record["progress"]["steps"] == 12


def test_ranks_of_a_batch_system_are_not_the_runs(tmp_path, monkeypatch):
    """`srun bash -c 'python -m tracelab.train seed=$SLURM_PROCID'`: every task trains a run of its own."""
    for name in ("SLURM_PROCID", "LOCAL_RANK"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(rank_zero_only, "rank", 2)
    train(small(tmp_path, "budget.steps=2", "eval.problems=2"))
    assert (tmp_path / "metrics.csv").is_file()


def test_a_machine_with_slurm_trains_without_it(tmp_path, monkeypatch):
    """Lightning would warn, on every node, that `srun` is there."""
    (tmp_path / "srun").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    train(small(tmp_path / "run", "budget.steps=1", "eval.problems=2"))
    assert (tmp_path / "run" / "metrics.csv").is_file()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one step, for a module that spoils no more than copies of it."""
    return filled(tmp_path_factory, "one-step", lambda folder: train(small(folder, "budget.steps=1")))


def test_arms_are_judged_on_the_same_problems(trained, tmp_path):
    train(small(tmp_path, "trace=swapped", "seed=1", "budget.steps=1"))
    tables = [pyarrow.parquet.read_table(folder / "outcomes.parquet") for folder in (trained, tmp_path)]
    assert tables[0]["problem_key"].equals(tables[1]["problem_key"])


def test_a_finished_run_is_not_trained_again(trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "run")
    before = Run.open(folder).checkpoint().stat()
    again = train(small(folder, "budget.steps=1"))
    assert again.state == "skipped"
    after = again.run.checkpoint().stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_what_ends_before_its_budget_is_not_finished(tmp_path, monkeypatch):
    """Whatever ended it: here a limit of Lightning's, which is refused where it is not made to pass."""
    monkeypatch.setattr(checks, "LIMITS", {})
    stopped = train(small(tmp_path, "+trainer.max_steps=3"))
    assert stopped.metrics is None
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], record["progress"]["steps"]) == ("interrupted", 3)


def command(run_dir, *overrides):
    return ["-m", "tracelab.train", *SMALL, f"run_dir={run_dir}", "threads=1", *overrides]


def wait_for(path, process, seconds=120):
    until = time.monotonic() + seconds
    while not path.is_file():
        assert process.poll() is None, "the run ended before it was to be stopped"
        assert time.monotonic() < until
        time.sleep(0.02)


def test_killed_and_resumed_ends_with_the_same_weights(tmp_path):
    """Promise 8, through the command: SIGKILL some steps after a checkpoint, then the same command."""
    few = ("eval.problems=4", "task.ood=[]", "validate_problems=0")
    overrides = ("budget.steps=40", "trace=corrupted", "data.online=true", *few)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(*command(whole, *overrides)).check_returncode()
    with start(*command(killed, *overrides)) as process:
        wait_for(killed / "checkpoints" / "last.ckpt", process)
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    resumed = run(*command(killed, *overrides))
    resumed.check_returncode()
    assert "Resuming from" in resumed.stderr
    a, b = (load_weights(folder / "checkpoints" / "last.ckpt") for folder in (whole, killed))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_that_is_judged_on_other_problems_keeps_its_room(tmp_path):
    """`tracelab.evaluate` judges with the limit that was worked out when the run began: so does the command
    that trained it, given again.
    """
    few = ("budget.steps=1", "task.ood=[]", "validate_problems=0", "eval.max_new=null", "threads=1")
    before = train(small(tmp_path, *few, "eval.problems=1")).run.read_json("run.json")
    other = small(tmp_path, *few, "eval.problems=24")
    assert prepare(other).max_new > before["max_new"], "of a new run it would be another"
    run = train(other).run
    now = run.read_json("run.json")
    assert [now[name] for name in ("context", "max_new")] == [before[name] for name in ("context", "max_new")]
    given = Run(run.folder, {**run.config, "eval": {**run.config["eval"], "max_new": 9}})
    assert worked_out(given, now) == {"context": now["context"]}


def test_ctrl_c_keeps_what_is_trained(tmp_path):
    overrides = ("budget.steps=1000000", "checkpoint_every=1000000")
    with start(*command(tmp_path, *overrides)) as process:
        wait_for(tmp_path / "metrics.csv", process)
        process.send_signal(signal.SIGINT)
        done = process.wait(60)
    assert done.returncode == 130
    assert "nothing is lost" in done.stderr
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "interrupted"
    run("-m", "tracelab.evaluate", f"run={tmp_path}").check_returncode()
    assert (tmp_path / "metrics.json").is_file()


def refused(tmp_path, *overrides):
    with pytest.raises(Exception) as error:  # noqa: PT011  (Hydra wraps what constructors raise)
        train(small(tmp_path, *overrides))
    return f"{error.value} {error.value.__cause__}"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["trace=nonsense"], "Available options"),
        (["task=nonsense"], "Available options"),
        (["trace=corrupted", "trace.kind=nonsense"], "choose one of state, cost"),
        (["trace=corrupted", "trace.rate=0"], "(0, 1]"),
        (["trace=corrupted", "trace.rate=1.5"], "(0, 1]"),
        (["task.size=2"], "no side may be below 3"),
        (["task.size=3", "task.lattice=odd"], "no room for start and goal"),
        (
            ["task.size=3", "task.generator=free_space", "data.distinct=true"],
            "too few problems for splits that share none",
        ),
        (["model.context=32"], "raise model.context"),
        (["budget.tokens=1000"], "one of budget.tokens"),
        (
            ["trainer.log_every_n_steps=0"],
            "trainer.log_every_n_steps=0: it should be greater than or equal to 1",
        ),
        (["+trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches=0: it should be greater"),
        (["trace=solution_only", "loss.solution_weight=0"], "trace=solution_only writes no trace"),
        (["trace=latent", "loss.solution_weight=0"], "trace=latent writes no trace"),
        (["+trainer.val_check_interval=5"], "trainer.val_check_interval has no effect"),
        (["+trainer.gradient_clip_algorithm=value"], "clipped by their norm"),
        (["trainer.gradient_clip_val=0"], "take null for no clipping"),
        (["trainer.gradient_clip_val=-1"], "trainer.gradient_clip_val=-1: it should be greater than 0"),
        (["+trainer.max_steps=3"], "trainer.max_steps=3: a budget ends training"),
        (["+trainer.limit_train_batches=1"], "trainer.limit_train_batches=1: a budget ends training"),
        (["+trainer.max_time={minutes:5}"], "a budget ends training: take budget.steps or minutes"),
        (["+trainer.limit_train_batches=0.5"], "trainer.limit_train_batches=0.5: a budget ends training"),
        (["ckpt_path=nowhere.ckpt"], "no such file"),
        (["task.sizes=7"], "task.sizes"),
    ],
)
def test_bad_input_says_what_is_wrong(tmp_path, overrides, says):
    assert says in refused(tmp_path, *overrides)
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["+trainer.barebones=true"], "leaves out checkpoints and the log"),
        (
            ["+trainer.accumulate_grad_batches=2.0"],
            "accumulate_grad_batches=2.0: it should be a valid integer",
        ),
        (["eval.checkpoint=best", "+trainer.limit_val_batches=0"], "nothing would be validated"),
        (["eval.checkpoint=best", "trainer.check_val_every_n_epoch=2"], "nothing would be validated"),
        (["data.packing=1000"], "data.packing=1000 must be a multiple of 128"),
        (["data.packing=256", "data.batch_tokens=300"], "must be a multiple of data.packing=256"),
        (["data.packing=256", "attention=flex"], "attention=flex needs a GPU to train on"),
        (["trainer.devices=[0,1]"], "say how many processes, trainer.devices=2"),
        (["trainer=gpu"], "trainer.accelerator=gpu: torch finds none"),
    ],
)
def test_what_cannot_train_is_refused_before_anything_is_drawn(tmp_path, monkeypatch, overrides, says):
    if overrides == ["trainer=gpu"] and torch.cuda.is_available():
        pytest.skip("there is one")
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    assert says in refused(tmp_path, *overrides)
    assert not (tmp_path / "run.json").exists()


def test_what_was_refused_is_asked_for_otherwise_in_the_same_folder(tmp_path):
    """Whether the config was refused, or what was drawn."""
    assert "wilsn" in refused(tmp_path, "task.generator=wilsn")
    assert not (tmp_path / "config.yaml").exists()
    assert "raise model.context" in refused(tmp_path, "model.context=32")
    assert train(small(tmp_path, "budget.steps=1")).state == "finished"


def test_a_folder_of_another_config_is_refused(trained, tmp_path):
    message = refused(shutil.copytree(trained, tmp_path / "run"), "budget.steps=1", "seed=1")
    assert "another config" in message
    assert "seed" in message


def test_a_checkpoint_of_another_vocabulary_is_refused(trained, tmp_path):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    message = refused(tmp_path, "task.format=paper", f"init_from={checkpoint}")
    assert "another vocabulary" in message
