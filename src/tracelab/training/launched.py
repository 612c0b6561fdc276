"""Processes that torchrun or SLURM has started, on one machine or on several, and that train one run.

    torchrun --nnodes=2 --nproc-per-node=4 ... -m tracelab.train trainer=ddp ...
    srun --nodes=2 --ntasks-per-node=4 python -m tracelab.train trainer=ddp ...

The first of them leads: it does what the run's own process does elsewhere, and calls upon the others for what
`processes.together` would start processes for. All end when it has ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count as counting
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from tracelab.core.settings import Part
from tracelab.core.terminal import log
from tracelab.decoding.sharing import gathered
from tracelab.runs.build import device_of
from tracelab.runs.knobs import WITHOUT_EFFECT, differences
from tracelab.runs.settings import Experiment
from tracelab.training.processes import JOINED, heard, tell, wished

T = TypeVar("T")
RUNS = counting()  # that this process has had a part in
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
OF_STEP = "SLURM_STEP_NUM_TASKS"  # in the environment of what srun has started, not of what sbatch has


def led(experiment: Experiment, lead: Callable[[], T]) -> T:
    """Do all that a run needs -> what it returns, in each of the processes that were started for the run.

    ValueError if there are others than the trainer's config asks for, or if they were asked for other runs.
    """
    environment = launcher(experiment.trainer)
    if environment is None:
        return lead()
    _meet(environment, device_of(experiment.trainer))
    joined = JOINED.set(environment)
    LightningEnvironment().set_global_rank(environment.global_rank())  # loggers ask for it
    try:
        _check_same(experiment)
        if environment.global_rank() > 0:
            followed: T = _follow(experiment)
            return followed
        result = lead()
        tell((None, result))
        return result
    finally:
        JOINED.reset(joined)
        distributed.destroy_process_group()


def _meet(environment: ClusterEnvironment, device: torch.device) -> None:
    """Wait until all processes of the run are there."""
    if device.type == "cuda":
        torch.cuda.set_device(environment.local_rank())
    rank, count = environment.global_rank(), environment.world_size()
    os.environ |= {"MASTER_ADDR": environment.main_address, "MASTER_PORT": str(environment.main_port)}
    store = PrefixStore(f"run {next(RUNS)}", _store(rank, count))
    distributed.init_process_group(BACKENDS[device.type], store=store, rank=rank, world_size=count)


def _check_same(experiment: Experiment) -> None:
    """ValueError, in all processes, if one was started with other knobs than the first, whose run it is."""
    first, *others = gathered(experiment.as_dict())
    for rank, other in enumerate(others, 1):
        if different := differences(first, other, (*WITHOUT_EFFECT, "names")):
            raise ValueError(
                f"process {rank} was started with another {', '.join(different)} than the first, and all "
                f"{len(others) + 1} are to train one run: give each the same command; to train a run in "
                "each, leave trainer.devices at 1"
            )


@cache
def _store(rank: int, count: int) -> Store:
    """Where processes find each other, for as long as they live."""
    store: Store = next(rendezvous("env://", rank, count))[0]
    return store


def _follow(experiment: Experiment) -> Any:
    """Do what the first process calls for -> what it returns in the end. It has said all there is to say."""
    while True:
        function, arguments = heard()
        if function is None:
            sys.stdout = sys.stderr = log(Path(os.devnull))
            with suppress(OSError):  # Hydra has made it, of another second than the run's
                Path(experiment.run_dir).rmdir()
            return arguments
        function(*arguments)


def launcher(trainer: Part) -> ClusterEnvironment | None:
    """Who started this process as one of the run's; None if the run's own process is to start them.

    Tasks of SLURM that are not as many as a run wants train runs of their own.
    """
    count = wished(trainer)
    if distributed.is_torchelastic_launched():
        started = int(os.environ["WORLD_SIZE"])
        if started != count:
            raise ValueError(
                f"torchrun has started {started} processes, and trainer.num_nodes times trainer.devices is "
                f"{count}: --nnodes and --nproc-per-node should be as many as num_nodes and devices"
            )
        return TorchElasticEnvironment() if count > 1 else None
    if count > 1 and int(os.environ.get(OF_STEP, 1)) == count:
        return SLURMEnvironment(auto_requeue=False)
    if (nodes := trainer.get("num_nodes", 1)) > 1:
        here = count // nodes
        raise ValueError(
            f"trainer.num_nodes={nodes}: a command starts processes on its own machine alone; start it with "
            f"torchrun --nnodes={nodes} --nproc-per-node={here}, or srun --nodes={nodes} "
            f"--ntasks-per-node={here} (docs/cluster.md)"
        )
    return None
