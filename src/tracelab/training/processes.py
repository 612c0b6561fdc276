"""Several processes, one per device, that train one run together.

    together(2, take_part, folder)  # take_part(folder), twice

They are started by the run's own process, which waits for them and has no part in the training: so the
crash of one ends all, as an error like any other, and a sweep goes on. A signal is passed on to them; they
agree after which step to stop. Where torchrun or SLURM has started them (`training.launched`), the first
calls upon the others, and takes part itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from itertools import dropwhile
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port
from numpy.typing import NDArray
from torch import distributed
from torch.multiprocessing.spawn import ProcessException, start_processes

from tracelab.core.settings import Part
from tracelab.core.terminal import counted, endure
from tracelab.decoding.sharing import among, hosts
from tracelab.runs.signals import passed_on, unwarned

RANK = "TRACELAB_RANK"  # in the environment of a process that was started here
MOST_DEVICES = 1024  # on one machine
PATIENCE = 10.0  # seconds that the others have to end by themselves when one has failed
# who started this process as one of a run's, if not the run's own process did
JOINED: ContextVar[ClusterEnvironment | None] = ContextVar("JOINED", default=None)


def wished(trainer: Part) -> int:
    """How many processes a trainer's config asks for, on all machines."""
    nodes = trainer.get("num_nodes", 1)
    if not isinstance(nodes, int) or isinstance(nodes, bool) or nodes < 1:
        raise ValueError(
            f"trainer.num_nodes={nodes}: say how many machines there are, such as trainer.num_nodes=2"
        )
    return nodes * wished_here(trainer)


def wished_here(trainer: Part) -> int:
    """How many of them on each machine. devices: how many, or which."""
    devices = trainer["devices"]
    count = len(devices) if isinstance(devices, list) else devices
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_DEVICES:
        raise ValueError(f"trainer.devices={devices}: say how many devices, such as trainer.devices=2")
    return count


def together(count: int, function: Callable[..., Any], *arguments: Any) -> bool:
    """Call a function in as many processes, which Lightning joins -> did nothing stop them before the end?

    function: gives False if it was stopped. RuntimeError if one fails; all end.
    """
    if JOINED.get() is not None:
        tell((function, arguments))
        return function(*arguments) is not False
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port()), "NODE_RANK": "0"}
    with unwarned():
        started: Any = start_processes(_part, (place, function, arguments), nprocs=count, join=False)
    try:
        with passed_on(lambda: (process.pid for process in started.processes if process.is_alive())) as came:
            while not started.join(timeout=1.0, grace_period=PATIENCE):
                pass
    except ProcessException as error:
        if came and getattr(error, "exit_code", 0) == -came[0]:
            return False  # one that had not begun to train, and has nothing to save
        raise RuntimeError(f"one of {counted(count, 'process')} failed: {_what(str(error))}") from error
    finally:
        for process in started.processes:
            process.kill()
    return not came


def _part(rank: int, place: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    endure()
    os.setpgrp()  # Ctrl-C is the first process's to pass on
    os.environ |= {**place, "LOCAL_RANK": str(rank), RANK: str(rank)}
    function(*arguments)
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _what(traceback: str) -> str:
    """The exception's own lines of a traceback."""
    lines = traceback.rstrip().rpartition("Traceback (most recent call last):\n")[2].splitlines()
    return "\n".join(dropwhile(lambda line: line.startswith(" "), lines))


def tell(message: Any) -> None:
    """Tell all others what the first process wants of them."""
    distributed.broadcast_object_list([message], src=0, group=hosts())


def heard() -> Any:
    """What the first process tells, once it does."""
    message = [None]
    distributed.broadcast_object_list(message, src=0, group=hosts())
    return message[0]


def own_environment() -> ClusterEnvironment:
    """What Lightning is to know of this process: it is the only one, or one of those that were started here.

    Or one of those that a launcher has started. Batch systems leave ranks in the environment of tasks, too,
    which train runs of their own.
    """
    if (joined := JOINED.get()) is not None:
        return joined
    environment = LightningEnvironment()
    environment.set_global_rank(int(os.environ.get(RANK, 0)))  # loggers ask for it, too
    return environment


def most(value: float) -> float:
    """The largest of what all processes give. Their hosts agree on it: no GPU is waited for."""
    if among()[1] == 1:
        return value
    number = torch.tensor(value, dtype=torch.float64)
    distributed.all_reduce(number, distributed.ReduceOp.MAX, group=hosts())
    return number.item()


def share(number: int) -> NDArray[np.int64]:
    """Which of so many things are this process's: some in a row, or none."""
    rank, processes = among()
    return np.array_split(np.arange(number), processes)[rank]
