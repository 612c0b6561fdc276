"""A run of two nodes of a SLURM that runs here, by the batch script of docs/cluster.md."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.launched import COMMON
from tests.helpers.pages import DOCS
from tests.helpers.runs import SMALL, small
from tests.helpers.slurm import NODES, missing, slurm
from tests.training.test_processes import assert_same_figures, assert_same_weights
from tracelab.core.paths import CLONE
from tracelab.runs.folder import Run
from tracelab.training.experiment import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed (slurm-wlm, munge): {', '.join(missing())}"),
]
STEPS = ("budget.steps=150", "checkpoint_every=5", "validate_every=100")
PATIENCE = 240  # seconds


@pytest.fixture(scope="module")
def cluster():
    with slurm() as cluster:
        yield cluster


def batch_script(run_dir):
    """The page's, with two nodes of one core in place of its GPUs."""
    text = re.search(r"^```bash\n(#!/bin/bash\n.*?)^```$", (DOCS / "cluster.md").read_text(), re.M | re.S)[1]
    words = " ".join((*SMALL, *COMMON, *STEPS, "trainer=ddp", "trainer.accelerator=cpu"))
    for written, here in {
        "ntasks-per-node=4": "ntasks-per-node=1",
        " --gpus-per-node=4": "",
        "cpus-per-task=8": "cpus-per-task=1",
        "python -m": f"{sys.executable} -m",
        "trainer=ddp": f"'{words}'".replace(" ", "' '"),
        "trainer.devices=4": "trainer.devices=1",
        "/shared/runs/large": str(run_dir),
    }.items():
        assert written in text
        text = text.replace(written, here)
    return text


def state(cluster, job):
    return cluster.states()[job]


def await_state(cluster, job, wanted):
    until = time.monotonic() + PATIENCE
    while (found := state(cluster, job)) != wanted:
        assert found in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING"), found
        assert time.monotonic() < until, found
        time.sleep(0.2)


def test_two_nodes_train_one_run_and_go_on_when_time_is_up(cluster, tmp_path):
    (tmp_path / "job.sh").write_text(batch_script(tmp_path / "run"))
    paths = os.pathsep.join([str(CLONE / "src"), str(CLONE)])
    given = {"PYTHONPATH": paths, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    cluster.environment.update(given)
    job = cluster.says(
        "sbatch", f"--output={tmp_path}/said", f"--chdir={tmp_path}", "--parsable", f"{tmp_path}/job.sh"
    )
    job = job.strip()
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    until = time.monotonic() + PATIENCE
    while not last.is_file():
        assert time.monotonic() < until, Path(tmp_path / "said").read_text()
        assert state(cluster, job) in ("PENDING", "RUNNING"), Path(tmp_path / "said").read_text()
        time.sleep(0.1)
    assert set(
        cluster.says(
            "scontrol", "show", "hostnames", cluster.says("squeue", "-h", "-j", job, "-o", "%N").strip()
        ).split()
    ) == set(NODES)
    cluster.says("scancel", "--signal=USR1", job)
    await_state(cluster, job, "PENDING")
    await_state(cluster, job, "COMPLETED")
    said = (tmp_path / "said").read_text()
    assert "nothing is lost" in said and "Resuming from" in said
    train(small(tmp_path / "alone", *COMMON, *STEPS, "trainer=cpu"))
    alone, run = Run.open(tmp_path / "alone"), Run.open(tmp_path / "run")
    assert_same_figures(alone.folder / "metrics.csv", run.folder / "metrics.csv", 1e-3)
    assert_same_weights(alone.checkpoint(), run.checkpoint(), rtol=1e-3, atol=1e-5)
