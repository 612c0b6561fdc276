"""Sweeps on a SLURM that runs here: what becomes of jobs, and what the same command then does."""

import json
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

from tests.helpers.forked import start
from tests.helpers.runs import SMALL, small
from tests.helpers.slurm import OF_ACCOUNTS, missing, slurm
from tracelab.core.paths import CLONE, CONF
from tracelab.launching.scheduler import NO_TIME_LEFT
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.folder import Run
from tracelab.training.experiment import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed (slurm-wlm, munge): {', '.join(missing())}"),
]
# AdamW, whose steps last as many seconds as the file `slow` says: there is time to interrupt them.
SLOW = """
import time
from pathlib import Path
from tracelab.optim.adamw import adamw
def slow(model, **knobs):
    optimizer = adamw(model, **knobs)
    optimizer.register_step_post_hook(lambda *_: wait(Path("slow")))
    return optimizer
def wait(path):
    if path.exists():
        time.sleep(float(path.read_text()))
"""
OURS = (*SMALL, "trace=corrupted", "trainer.precision=32-true", "threads=1", "task.ood=[]", "eval.problems=4")
SLURM = ("hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1")
# SLURM looks at the time twice a minute, and imports take their part
TWO_MINUTES = (
    "hydra.launcher.timeout_min=2",
    "hydra.launcher.signal_delay_s=10",
)  # half of it may be imports
PATIENCE = 900  # seconds


@pytest.fixture(scope="module")
def cluster(request):
    """A cluster that keeps no accounts, unless a test wants them."""
    accounts = getattr(request, "param", False)
    if accounts and (lacking := missing(*OF_ACCOUNTS)):
        pytest.skip(f"not installed (slurmdbd, mariadb-server): {', '.join(lacking)}")
    with slurm(accounts) as cluster:
        yield cluster


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where a sweep is started, with an optimiser that can be slow."""
    monkeypatch.setenv("TRACELAB_TRUST", "slow")
    (tmp_path / "conf" / "optim").mkdir(parents=True)
    named = (CONF / "optim" / "adamw.yaml").read_text().replace("tracelab.optim.adamw.adamw", "slow.slow")
    (tmp_path / "conf" / "optim" / "slow.yaml").write_text(named)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


@contextmanager
def sweep(cluster, place, *words):
    """A sweep that is under way."""
    asked = ("--config-dir", "conf", *SLURM, *OURS, "optim=slow", *words)
    paths = os.pathsep.join([str(CLONE / "src"), str(CLONE)])
    environment = {**cluster.environment, "TRACELAB_TRUST": "slow", "PYTHONPATH": paths}
    with start("-m", "tracelab.train", "-m", *asked, cwd=place, env=environment) as process:
        yield process


def swept(cluster, place, *words):
    """How a sweep ends: what it says, and the records of its jobs."""
    with sweep(cluster, place, *words) as process:
        done = process.wait(PATIENCE)
    return done, records(place)


def records(place):
    """The records of the latest sweep's jobs."""
    latest = max(place.glob("runs/sweep/.jobs/*"), key=lambda path: path.stat().st_mtime, default=place)
    return [json.loads(path.read_text()) for path in sorted(latest.glob("*.json"))]


def states(place):
    return [record["state"] for record in records(place)]


def await_(condition, process):
    """Wait until something is so, while a sweep is under way."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "the sweep ended before"
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.1)


def jobs_of(cluster, state):
    """Numbers of the jobs of an array in a state -> what SLURM calls them."""
    there = [job for job, is_ in cluster.states().items() if is_ == state and "_" in job]
    return {int(job.split("_")[1]): job for job in there}


def checkpointed(place, number):
    """Has a job written a checkpoint?"""
    folder = {record["number"]: record["folder"] for record in records(place)}.get(number)
    return bool(folder) and (place / folder / "checkpoints" / "last.ckpt").is_file()


def process_of(cluster, number):
    """The process that is a job of the array."""
    mine = {f"SLURM_ARRAY_TASK_ID={number}", f"SLURM_CONF={cluster.environment['SLURM_CONF']}"}
    (found,) = (
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if part(process / "cmdline")[:1] == [sys.executable] and mine <= set(part(process / "environ"))
    )
    return found


def part(path):
    """What a file of /proc says; nothing, if its process is gone."""
    with suppress(OSError):
        return path.read_text(errors="replace").split("\0")
    return []


def assert_not_interrupted(place, record, alone, *words):
    """The weights of a run are those of one that nothing stopped, bit for bit."""
    train(small(alone, *OURS[len(SMALL) :], "optim=adamw", *words))
    run = Run.open(place / record["folder"])
    weights, other = (load_weights(each.checkpoint()) for each in (run, Run.open(alone)))
    assert weights.keys() == other.keys()
    assert all(torch.equal(weights[name], other[name]) for name in weights)


@pytest.mark.parametrize("cluster", [False, True], ids=["queue", "accounts"], indirect=True)
def test_one_job_finishes_and_others_are_refused_killed_and_cancelled(cluster, place):
    (place / "slow").write_text("2")
    rates = ("trace.rate=0,0.2,0.4,0.6,0.8",)
    with sweep(cluster, place, *rates) as process:
        await_(lambda: jobs_of(cluster, "PENDING").keys() == {2, 3, 4}, process)
        cluster.says("scancel", jobs_of(cluster, "PENDING")[4])
        await_(lambda: checkpointed(place, 2), process)
        os.kill(process_of(cluster, 2), signal.SIGKILL)
        await_(lambda: checkpointed(place, 3), process)
        cluster.says("scancel", jobs_of(cluster, "RUNNING")[3])
        done = process.wait(PATIENCE)
    found = records(place)
    assert states(place) == ["failed", "finished", "failed", "failed", "failed"], done.stderr
    assert done.returncode == 1
    reasons = [record.get("reason", "") for record in found]
    assert "trace.rate=0 must be in (0, 1]" in reasons[0]
    assert reasons[2].startswith("it left no result (FAILED): see ")
    assert Path(reasons[2].partition("see ")[2]).is_file()
    assert reasons[3].startswith("it left no result (CANCELLED")
    assert reasons[4] == "it left no result (no longer in the queue), nor did it begin"
    assert all(reason in " ".join(done.stdout.split()) for reason in reasons if "\n" not in reason)
    assert "sacct" not in done.stderr
    logs = [(place / found[number]["folder"] / "log.txt").read_text() for number in (2, 3)]
    assert ["nothing is lost" in log for log in logs] == [False, True]

    (place / "slow").unlink()
    done, found = swept(cluster, place, *rates)
    assert states(place) == ["failed", "skipped", "resumed", "resumed", "finished"], done.stderr
    assert done.returncode == 1
    for number in (2, 3):
        rate = f"trace.rate={0.2 * number:.1f}"
        assert_not_interrupted(place, found[number], place / f"alone-{number}", rate)


def test_a_job_whose_time_is_up_goes_on_until_it_is_done(cluster, place):
    (place / "slow").write_text("1")
    words = ("budget.steps=100", "checkpoint_every=1000", "validate_every=60", "seed=7")
    done, (record,) = swept(cluster, place, *TWO_MINUTES, *words)
    assert record["state"] == "resumed", done.stderr
    assert done.returncode == 0
    log = (place / record["folder"] / "log.txt").read_text()
    assert log.count("nothing is lost") == log.count("Resuming from") >= 1
    run = Run.open(place / record["folder"])
    assert load_progress(run.checkpoint())["steps"] == 100
    assert_not_interrupted(place, record, place / "alone", *words)
    found, alone = (folder / "metrics.csv" for folder in (run.folder, place / "alone"))
    assert [row.split(",")[0] for row in rows(found)] == [row.split(",")[0] for row in rows(alone)]


def rows(path):
    """The rows of a CSV file below its heading."""
    return path.read_text().splitlines()[1:]


def test_ctrl_c_leaves_the_jobs_to_slurm(cluster, place):
    """Their runs are refused to the same command until they are done or cancelled."""
    (place / "slow").write_text("10")
    words = ("seed=4", "checkpoint_every=1")
    with sweep(cluster, place, *words) as process:
        await_(lambda: checkpointed(place, 0), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE).returncode == 130
    (job,) = (job for job, state in cluster.states().items() if state == "RUNNING")
    done, (record,) = swept(cluster, place, *words)
    assert record["state"] == "failed", done.stderr
    assert "another process is training in" in record["reason"]
    assert cluster.states()[job] == "RUNNING"
    cluster.says("scancel", job)


def test_a_job_of_several_processes_whose_turns_are_used_up(cluster, place):
    """They save what they have, and the same command goes on. A job has as many cores as it asked for."""
    (place / "slow").write_text("2")
    many = ("hydra.launcher.partition=wide", "hydra.launcher.cpus_per_task=2", "trainer=ddp")
    words = ("checkpoint_every=1000", "trainer.accelerator=cpu", "seed=3", *many)
    turns = ("hydra.launcher.timeout_min=10", "hydra.launcher.max_num_timeout=0")
    with sweep(cluster, place, *turns, *words) as process:
        await_(lambda: any(map(rows, place.glob("runs/sweep/*/metrics.csv"))), process)
        (job,) = (job for job, state in cluster.states().items() if state == "RUNNING")
        cluster.says("scancel", "--signal=USR2", job)
        done = process.wait(PATIENCE)
    (record,) = records(place)
    assert (record["state"], record["reason"]) == ("failed", NO_TIME_LEFT), done.stderr
    run = Run.open(place / record["folder"])
    assert 1 <= load_progress(run.checkpoint())["steps"] < 12
    assert run.read_json("run.json")["cores"] == 2
    (place / "slow").unlink()
    done, (record,) = swept(cluster, place, *words)
    assert record["state"] == "resumed", done.stderr
