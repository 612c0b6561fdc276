"""A run of two nodes of a SLURM that runs here, by the batch script of docs/cluster.md."""

import os
import re
import sys
import time

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
PATIENCE = 600  # seconds


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


def await_(condition, cluster, job, said):
    """Wait until something is so, while a job is to come or under way."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert cluster.states()[job] in ("PENDING", "RUNNING", "COMPLETING"), said.read_text()
        assert time.monotonic() < until, said.read_text()
        time.sleep(0.2)


def test_two_nodes_train_one_run_and_go_on_when_time_is_up(cluster, tmp_path):
    script, said, run = tmp_path / "job.sh", tmp_path / "said", tmp_path / "run"
    script.write_text(batch_script(run))
    paths = os.pathsep.join([str(CLONE / "src"), str(CLONE)])
    cluster.environment.update(PYTHONPATH=paths, GLOO_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1")
    job = cluster.says("sbatch", "--parsable", f"--output={said}", f"--chdir={tmp_path}", str(script)).strip()
    await_((run / "checkpoints" / "last.ckpt").is_file, cluster, job, said)
    nodes = cluster.says("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
    assert cluster.says("scontrol", "show", "hostnames", nodes).split() == [*NODES]
    cluster.says("scancel", "--signal=USR1", job)  # as the script asks for, before its time is up
    await_(lambda: "nothing is lost" in said.read_text(), cluster, job, said)
    await_(lambda: cluster.states()[job] == "COMPLETED", cluster, job, said)
    assert said.read_text().count("Resuming from") == 1
    train(small(tmp_path / "alone", *COMMON, *STEPS, "trainer=cpu"))
    assert_same_figures(tmp_path / "alone" / "metrics.csv", run / "metrics.csv", 1e-3)
    pair = [Run.open(folder).checkpoint() for folder in (tmp_path / "alone", run)]
    assert_same_weights(*pair, rtol=1e-3, atol=1e-5)
