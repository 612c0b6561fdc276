"""Sweeps: a repeated one goes on where it was, with every launcher; one job's crash stops no other."""

import json
import pickle
import signal
import subprocess
import sys
import time

import pytest
from hydra.types import RunMode

from tests.helpers.runs import SMALL, small
from tracelab.runs.entry import Accuracy, run_folder, run_name
from tracelab.runs.folder import Run, claimed
from tracelab.sweeps import check_installed
from tracelab.training.experiment import train
from tracelab.training.learner import Learner

ARM = (*SMALL, "trace=corrupted")


def sweep(cwd, *words):
    command = [sys.executable, "-m", "tracelab.train", "-m", *ARM, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def jobs(cwd):
    """The jobs' states in the latest sweep, and their records."""
    latest = max((cwd / "runs/sweep/.jobs").iterdir(), key=lambda path: path.stat().st_mtime)
    records = [json.loads(path.read_text()) for path in sorted(latest.glob("*.json"))]
    return [record["state"] for record in records], records


def crash(folder, monkeypatch, *words):
    """A run that dies in its eighth step, after a checkpoint at the fifth."""
    step = Learner.training_step

    def training_step(self, *batch):
        if self.progress.steps == 7:
            raise RuntimeError("a crash")
        return step(self, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(Learner, "training_step", training_step)
        with pytest.raises(RuntimeError, match="a crash"):
            train(small(folder, *words))


def test_a_sweep_goes_on_where_it_was(tmp_path, monkeypatch):
    swept = ("trace.rate=0.5", "seed=0")
    unnamed = ("trainer=", "validate_problems=")  # they change no number of a run
    named = [word for word in (*ARM, *swept) if not word.startswith(unnamed)]
    begun = tmp_path / "runs" / "sweep" / run_name(",".join(sorted(named)))
    crash(begun, monkeypatch, "trace=corrupted", *swept)

    first = sweep(tmp_path, "trace.rate=0,0.5,1", "seed=0")
    states, records = jobs(tmp_path)
    assert states == ["failed", "resumed", "finished"], first.stderr[-2000:]
    assert first.returncode == 1
    assert tmp_path / records[1]["folder"] == begun
    assert "trace.rate=0 must be in (0, 1]" in records[0]["reason"]
    assert "Traceback" in (tmp_path / records[0]["folder"] / "error.txt").read_text()
    assert f"Resuming from {records[1]['folder']}" in first.stderr
    for record in records[1:]:
        run = Run.open(tmp_path / record["folder"])
        assert run.read_json("run.json")["progress"]["steps"] == 12
        assert 0 <= record["accuracy"] <= 1
    assert "trace.rate=0.5" in first.stdout
    assert "Job 0 failed" in first.stdout

    before = [(tmp_path / r["folder"] / "outcomes.parquet").stat().st_mtime_ns for r in records[1:]]
    second = sweep(tmp_path, "hydra/launcher=joblib", "trace.rate=0,0.5,1", "seed=0,1")
    states, records = jobs(tmp_path)
    assert states == ["failed", "failed", "skipped", "finished", "skipped", "finished"], second.stderr[-2000:]
    assert second.returncode == 1
    log = (tmp_path / records[2]["folder"] / "log.txt").read_text()
    assert "Skipped" in log
    assert f"{100 * records[2]['accuracy']:.1f} %" in log
    assert before == [
        (tmp_path / records[k]["folder"] / "outcomes.parquet").stat().st_mtime_ns for k in (2, 4)
    ]

    third = sweep(tmp_path, "hydra/launcher=submitit_local", "trace.rate=0.25,1", "seed=0")
    assert jobs(tmp_path)[0] == ["finished", "skipped"], third.stderr[-2000:]
    assert third.returncode == 0


def test_ctrl_c_stops_the_sweep_and_keeps_what_is_trained(tmp_path):
    words = (*ARM, "seed=0,1", "budget.steps=1000000", "checkpoint_every=1000000")
    command = [sys.executable, "-m", "tracelab.train", "-m", *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("runs/sweep/*/metrics.csv")):
            assert process.poll() is None, "the sweep ended before it was to be stopped"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    states, records = jobs(tmp_path)
    assert states == ["unfinished"]
    assert Run.open(tmp_path / records[0]["folder"]).checkpoint().is_file()
    assert "nothing is lost" in said


def test_a_run_is_asked_for_again(tmp_path):
    words = ("budget.steps=1",)
    assert train(small(tmp_path, *words)).state == "finished"
    again = train(small(tmp_path, *words, "threads=1"))
    assert again.state == "skipped"
    assert again.metrics.keys() == {"wilson", "dfs"}
    assert train(small(tmp_path, *words, "eval.problems=8")).metrics["wilson"]["solution_valid"]["n"] == 8


def test_two_processes_in_one_folder(tmp_path):
    code = f"from tracelab.runs.folder import claimed\nwith claimed({str(tmp_path)!r}): print('in')"
    command = [sys.executable, "-c", code]
    with claimed(tmp_path):
        other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another process is training" in other.stderr
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "in\n"


def test_folders():
    single = run_folder(RunMode.RUN, "now", "runs", "runs/sweep", "seed=1")
    assert single == run_folder(None, "now", "runs", "runs/sweep", "seed=1") == "runs/seed-1/now"
    assert run_folder(RunMode.MULTIRUN, "now", "runs", "runs/sweep", "seed=1") == "runs/sweep/seed-1"


def test_accuracy_is_a_float_with_a_state():
    found = pickle.loads(pickle.dumps(Accuracy(0.5, "skipped")))
    assert (found, found.state) == (0.5, "skipped")


@pytest.mark.parametrize("package", ["nowhere.launcher", "hydra_plugins.nowhere"])
def test_a_launcher_that_is_not_installed(package):
    check_installed("hydra._internal.core_plugins.basic_launcher.BasicLauncher")
    with pytest.raises(SystemExit, match=f"{package} is not installed"):
        check_installed(f"{package}.Launcher")


def test_a_sweep_without_jobs_is_an_error(tmp_path):
    done = sweep(tmp_path, "experiment=glob(study/*)")
    assert done.returncode == 1
    assert "no jobs" in done.stderr
