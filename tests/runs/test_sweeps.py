"""Sweeps: a repeated one goes on where it was, with every launcher; one job's crash stops no other."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.types import RunMode
from omegaconf import OmegaConf

from tests.helpers.forked import run, start
from tests.helpers.runs import SMALL, small
from tracelab import sweeps
from tracelab.core.paths import CONF
from tracelab.launching import scheduler
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.claims import claimed
from tracelab.runs.entry import Accuracy, prepare_process, run_folder, run_name
from tracelab.runs.folder import Run
from tracelab.sweeps import check_installed, check_swept
from tracelab.training.experiment import train
from tracelab.training.learner import Learner

ARM = (*SMALL, "trace=corrupted")


DEADLY = """
import os, signal
class Deadly:
    def __new__(cls, rate):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def sweep(cwd, *words, arm=ARM):
    return run("-m", "tracelab.train", "-m", *arm, *words, cwd=cwd, spawns=False)


def deadly_sweep(cwd, *words):
    """A sweep over two treatments; who builds the first is killed."""
    (cwd / "conf" / "trace").mkdir(parents=True)
    (cwd / "conf" / "trace" / "deadly.yaml").write_text("_target_: deadly.Deadly\nrate: 1.0\n")
    (cwd / "deadly.py").write_text(DEADLY)
    swept = ("trace=deadly,corrupted", "trace.rate=choice(1)", "seed=0")
    return sweep(cwd, *swept, *words, arm=("--config-dir", "conf", *SMALL))


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
    unnamed = ("trainer", "validate_problems", "checkpoint_every", "eval")  # they make no other run
    named = [word for word in (*ARM, *swept) if not word.startswith(unnamed)]
    begun = tmp_path / "runs" / "sweep" / run_name(",".join(sorted(named)))
    crash(begun, monkeypatch, "trace=corrupted", *swept)

    first = sweep(tmp_path, "trace.rate=0,0.5,1", "seed=0")
    states, records = jobs(tmp_path)
    assert states == ["failed", "resumed", "finished"], first.stderr[-2000:]
    assert first.returncode == 1
    assert tmp_path / records[1]["folder"] == begun
    assert "trace.rate=0.0 must be in (0, 1]" in records[0]["reason"]
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

    third = deadly_sweep(tmp_path, "hydra/launcher=submitit_local")
    states, records = jobs(tmp_path)
    assert states == ["failed", "skipped"], third.stderr[-2000:]
    assert third.returncode == 1
    assert records[0]["reason"].startswith("it left no result (FINISHED): see ")
    assert Path(records[0]["reason"].partition("see ")[2]).is_file()

    weights = load_weights(Run.open(begun).checkpoint())
    fourth = sweep(tmp_path, "trace.rate=0.5", "seed=0", "eval.problems=8", "checkpoint_every=4")
    states, records = jobs(tmp_path)
    assert states == ["resumed"], fourth.stderr[-2000:]
    assert "No step was taken" in fourth.stderr
    assert tmp_path / records[0]["folder"] == begun
    after = load_weights(Run.open(begun).checkpoint())
    assert all(torch.equal(after[name], weight) for name, weight in weights.items())
    assert Run.open(begun).read_json("metrics.json")["test sets"]["wilson"]["solution_valid"]["n"] == 8


def workers(process):
    """Ids of the spawned processes that run jobs for a sweep's."""
    below = [path.read_text().split() for path in Path(f"/proc/{process.pid}/task").glob("*/children")]
    return [
        int(child)
        for children in below
        for child in children
        if "--multiprocessing-fork" in Path(f"/proc/{child}/cmdline").read_text()
    ]


def test_a_job_that_is_killed_does_not_end_the_sweep(tmp_path):
    done = deadly_sweep(tmp_path, "budget.steps=1", "eval.problems=4")
    states, records = jobs(tmp_path)
    assert done.returncode == 1
    assert states == ["failed", "finished"]
    assert records[0]["reason"] == "its process was killed (SIGKILL): out of memory?"
    assert "step 1" in done.stderr  # on the terminal, for no other job runs
    assert not list(tmp_path.glob("runs/sweep/*/log.txt"))


def test_a_job_whose_process_is_killed_takes_no_other_with_it(tmp_path):
    words = ("hydra/launcher=joblib", "seed=0,1,2", "eval.problems=4")
    with start("-m", "tracelab.train", "-m", *ARM, *words, cwd=tmp_path) as process:
        while len(list(tmp_path.glob("runs/sweep/*/log.txt"))) < 2:
            assert process.poll() is None, "the sweep ended before a job was to be killed"
            time.sleep(0.05)
        os.kill(workers(process)[0], signal.SIGKILL)
        done = process.wait(300)
    states, records = jobs(tmp_path)
    assert done.returncode == 1
    assert sorted(states) == ["failed", "finished", "finished"]
    assert states[2] == "finished"
    killed = records[states.index("failed")]
    assert killed["reason"] == "its process was killed (SIGKILL): out of memory?"
    assert killed["reason"] in (tmp_path / killed["folder"] / "error.txt").read_text()
    assert all(f"seed={k}" in done.stdout for k in range(3))


def test_ctrl_c_reaches_the_jobs_processes(tmp_path):
    """They save what they have; a job that was not begun is in the table, too."""
    words = (*ARM, "hydra/launcher=joblib", "seed=0,1,2", "budget.steps=1000000", "checkpoint_every=1000000")
    with start("-m", "tracelab.train", "-m", *words, cwd=tmp_path, spawns=False) as process:
        while len(list(tmp_path.glob("runs/sweep/*/metrics.csv"))) < 2:
            assert process.poll() is None, "the sweep ended before it was to be stopped"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(120).returncode == 130
    states, records = jobs(tmp_path)
    assert states == ["unfinished", "unfinished", "not begun"]
    for record in records[:2]:
        assert Run.open(tmp_path / record["folder"]).checkpoint().is_file()
        assert "nothing is lost" in (tmp_path / record["folder"] / "log.txt").read_text()


@pytest.mark.parametrize(
    ("knob", "why"),
    [
        ("eval.temperature=0,1", "runs that differ in"),
        ("+trainer.devices=1,2", "runs that differ in"),
        ("trainer=cpu,auto", "the names of folders leave trainer out"),
    ],
)
def test_jobs_that_would_share_a_folder_are_refused(tmp_path, knob, why):
    done = sweep(tmp_path, knob)
    assert done.returncode == 1
    assert f"{knob}: {why}" in done.stderr
    assert not list(tmp_path.glob("runs/sweep/*"))


def test_ctrl_c_stops_the_sweep_and_keeps_what_is_trained(tmp_path):
    words = (*ARM, "seed=0,1", "budget.steps=1000000", "checkpoint_every=1000000")
    with start("-m", "tracelab.train", "-m", *words, cwd=tmp_path, spawns=False) as process:
        while not list(tmp_path.glob("runs/sweep/*/metrics.csv")):
            assert process.poll() is None, "the sweep ended before it was to be stopped"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        done = process.wait(120)
    assert done.returncode == 130
    states, records = jobs(tmp_path)
    assert states == ["unfinished", "not begun"]
    assert Run.open(tmp_path / records[0]["folder"]).checkpoint().is_file()
    assert "nothing is lost" in done.stderr


def test_a_run_is_asked_for_again(tmp_path):
    words = ("budget.steps=1",)
    assert train(small(tmp_path, *words)).state == "finished"
    again = train(small(tmp_path, *words, "threads=1"))
    assert again.state == "skipped"
    assert again.metrics.keys() == {"wilson", "dfs"}
    assert train(small(tmp_path, *words, "eval.problems=8")).metrics["wilson"]["solution_valid"]["n"] == 8


def test_two_processes_in_one_folder(tmp_path):
    code = f"from tracelab.runs.claims import claimed\nwith claimed({str(tmp_path)!r}): print('in')"
    with claimed(tmp_path):
        other = run("-c", code)
    assert "another process is training in" in other.stderr
    assert run("-c", code).stdout == "in\n"


def test_folders():
    single = run_folder(RunMode.RUN, "now", "runs", "runs/sweep", "seed=1")
    assert single == run_folder(None, "now", "runs", "runs/sweep", "seed=1") == "runs/seed-1/now"
    assert run_folder(RunMode.MULTIRUN, "now", "runs", "runs/sweep", "seed=1") == "runs/sweep/seed-1"


def test_how_it_is_judged_names_no_run_of_a_sweep(tmp_path):
    def folder(words):
        return Path(run_folder(RunMode.MULTIRUN, "now", "runs", str(tmp_path), words)).name

    asked = "+metric@metric.mine=joint,++eval.problems=8,seed=1,task.size=[5,6],trainer.devices=2"
    assert folder(asked) == "seed-1_task.size--5-6-"
    (tmp_path / run_name("eval.problems=8,seed=1")).mkdir()  # of an earlier version
    assert folder("eval.problems=8,seed=1") == "seed-1_eval.problems-8"
    assert folder("eval.problems=9,seed=1") == "seed-1"


def test_accuracy_is_a_float_with_a_state():
    found = pickle.loads(pickle.dumps(Accuracy(0.5, "skipped")))
    assert (found, found.state) == (0.5, "skipped")


@pytest.mark.parametrize("package", ["nowhere.launcher", "hydra_plugins.nowhere"])
def test_a_launcher_that_is_not_installed(package):
    check_installed("hydra._internal.core_plugins.basic_launcher.BasicLauncher")
    with pytest.raises(SystemExit, match=f"{package} is not installed"):
        check_installed(f"{package}.Launcher")


def test_a_launcher_whose_scheduler_is_not_installed(monkeypatch):
    target = OmegaConf.load(CONF / "hydra" / "launcher" / "submitit_slurm.yaml")._target_
    check_installed(target)
    monkeypatch.setattr(sweeps, "find_spec", lambda name: None if name == "submitit" else find_spec(name))
    with pytest.raises(SystemExit, match="submitit is not installed"):
        check_installed(target)


def test_slurm_is_told_what_the_config_says(tmp_path, monkeypatch):
    written = OmegaConf.load(CONF / "hydra" / "launcher" / "submitit_slurm.yaml")
    chosen = {"submitit_folder": str(tmp_path), "partition": "gpu", "gpus_per_node": 1}
    knobs = OmegaConf.to_container(OmegaConf.merge(written, chosen), resolve=True)
    (tmp_path / "srun").touch(mode=0o755)  # submitit asks whether it is there
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    told = scheduler.executor("slurm", {name: knob for name, knob in knobs.items() if name != "_target_"})
    wanted = {"time": 240, "partition": "gpu", "gpus_per_node": 1, "mem": "16GB", "array_parallelism": 64}
    assert wanted.items() <= told.parameters.items()
    assert told.parameters["srun_args"] == ["--cpus-per-task=4"]
    assert told._executor.max_num_timeout == 20


def test_a_job_that_cannot_be_read_says_so(tmp_path):
    told = scheduler.executor("local", {"submitit_folder": str(tmp_path), "timeout_min": 1})
    (submitted,) = told.map_array(scheduler.Attempt(), [b"no pickle"])
    assert "UnpicklingError" in scheduler.result_of(submitted)


def test_a_sweep_without_jobs_is_an_error(tmp_path):
    done = sweep(tmp_path, "experiment=glob(study/*)")
    assert done.returncode == 1
    assert "no jobs" in done.stderr


@pytest.mark.parametrize(
    ("words", "knob", "reason"),
    [
        ((), "validate_problems", "runs that differ in validate_problems alone are one run"),
        (
            ("data.teacher={knob: size, values: [5, 7], bound: 0.8}",),
            "validate_problems",
            "folders leave validate_problems out, so that these runs would lie in one",
        ),
        ((), "trainer.gradient_clip_val", "folders leave trainer.gradient_clip_val out"),
    ],
)
def test_a_sweep_whose_runs_would_share_a_folder_is_refused(words, knob, reason):
    """With a teacher the number of held-out problems makes another run, which no folder's name says."""
    swept = "hydra/sweeper=optuna", f"+hydra.sweeper.params={{{knob}: '8,16'}}"
    prepare_process()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", [*words, *swept], return_hydra_config=True)
    with pytest.raises(SystemExit, match=reason):
        check_swept(config)


def test_a_sweep_under_torchrun_is_refused(tmp_path):
    """Before anything is computed, by each of its processes."""
    launched = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "1"}
    done = run("-m", "tracelab.train", "-m", *ARM, "seed=0,1", cwd=tmp_path, env=launched)
    assert done.returncode == 1
    assert "a sweep (-m) under torchrun is not supported" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_torchrun_itself_ends_with_that_word(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = ["-m", "tracelab.train", "-m", *ARM, "seed=0,1"]
    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a sweep (-m) under torchrun is not supported" in done.stderr
    assert not list(tmp_path.glob("runs*"))
