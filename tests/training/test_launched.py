"""A run of several machines: torchrun starts its processes on each, or SLURM does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from tests.helpers.launched import COMMON, after
from tests.helpers.runs import small
from tests.training.test_processes import assert_same_figures, assert_same_weights
from tracelab.posttraining.experiment import posttrain
from tracelab.runs.checkpoints import load_progress
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.training.experiment import train
from tracelab.training.launched import launcher
from tracelab.training.settings import Training

CLONE = Path(__file__).parents[2]


def torchrun(machines, module, *arguments):
    """What each of several "machines" of one process says, all of them on this one."""
    place = "--master-addr=127.0.0.1", f"--master-port={find_free_network_port()}"
    command = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={machines}", *place]
    loopback = {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": os.pathsep.join([str(CLONE / "src"), str(CLONE)])}
    started = [
        subprocess.Popen(
            [*command, f"--node-rank={rank}", "-m", module, *map(str, arguments)],
            env={**os.environ, **loopback, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(machines)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * machines, "\n".join(said)
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machines")
    (folder / "said").write_text("\n---\n".join(torchrun(2, "tests.helpers.launched", folder)))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shared", "resumed"])
def test_two_machines_train_the_run_of_one_process(folder, name):
    if not (folder / "alone").exists():
        train(small(folder / "alone", *COMMON, "trainer=cpu"))
    alone, run = Run.open(folder / "alone"), Run.open(folder / name)
    assert_same_figures(alone.folder / "metrics.csv", run.folder / "metrics.csv", 1e-3)
    assert_same_weights(alone.checkpoint(), run.checkpoint(), rtol=1e-3, atol=1e-5)
    assert load_progress(run.checkpoint())["tokens"] == load_progress(alone.checkpoint())["tokens"]
    files = [sorted(path.name for path in place.folder.rglob("*")) for place in (alone, run)]
    assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:rollout.group=4")
def test_machines_and_processes_post_train_the_run_of_one(folder):
    alone = posttrain(after(folder, "after-alone", "trainer=cpu"))
    shared = posttrain(after(folder, "after-ddp", "trainer=ddp", "trainer.accelerator=cpu"))
    for run in (shared.run, Run.open(folder / "after")):
        assert_same_weights(alone.run.checkpoint(), run.checkpoint(), rtol=1e-3, atol=1e-5)
        records = [each.read_json("run.json") for each in (alone.run, run)]
        assert records[0]["updates"] == records[1]["updates"] > 0
        assert alone.run.read_json("passes_after.json") == run.read_json("passes_after.json")
        files = [sorted(path.name for path in each.folder.rglob("*")) for each in (alone.run, run)]
        assert files[0] == files[1]


@pytest.mark.slow
def test_the_first_process_speaks_for_all(folder):
    said = (folder / "said").read_text().split("\n---\n")
    assert ["Resuming from" in text for text in said] == [True, False]


@pytest.mark.slow
def test_processes_of_other_knobs_are_refused(folder):
    """Each of them, by what makes it another run; folder and threads do not."""
    for rank in range(2):
        said = (folder / f"refused-{rank}").read_text()
        assert said.startswith(
            "process 1 was started with another seed than the first, and all 2 are to train"
        )
        assert not (folder / f"other-{rank}").exists()


def trainer(*words):
    return compose(Training, "train", "trainer=ddp", *words).trainer


def environment(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_tasks_of_slurm_are_one_run_if_they_are_as_many(monkeypatch):
    step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2"}
    environment(monkeypatch, **step, SLURM_PROCID="3", SLURM_JOB_NAME="train")
    found = launcher(trainer("trainer.num_nodes=2", "trainer.devices=2"))
    assert isinstance(found, SLURMEnvironment)
    assert (found.global_rank(), found.world_size()) == (3, 4)
    assert launcher(trainer("trainer.devices=2")) is None, "each task starts two of its own"
    assert launcher(trainer("trainer.devices=1")) is None, "each task trains a run"
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS")  # as in a batch script, before srun
    assert launcher(trainer("trainer.devices=4")) is None


def test_machines_are_started_by_somebody(monkeypatch):
    with pytest.raises(ValueError, match=r"num_nodes=2: .* torchrun --nnodes=2 --nproc-per-node=3, or srun"):
        launcher(trainer("trainer.num_nodes=2", "trainer.devices=3"))
    with pytest.raises(ValueError, match=r"num_nodes=0: say how many machines"):
        launcher(trainer("trainer.num_nodes=0"))
    environment(monkeypatch, TORCHELASTIC_RUN_ID="1", WORLD_SIZE="4")
    with pytest.raises(ValueError, match=r"torchrun has started 4 processes, .* is 2"):
        launcher(trainer("trainer.devices=2"))


def test_shards_are_over_all_machines():
    strategy = trainer("trainer=fsdp", "trainer.num_nodes=3", "trainer.devices=[0,2]")["strategy"]
    assert strategy["data_parallel_size"] == 6
