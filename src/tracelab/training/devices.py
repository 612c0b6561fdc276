"""What trained models are asked, on several devices of a machine: each does a share, as one would do it all.

    call = on_devices(run, devices=4, threads=None)
    table = call(of_run, run, splits)             # of_run(run, splits), in four processes

The function is called in one process for each device, and all of them do the same, but for what is `dealt`
(`decoding.sharing`). What the first returns comes back. Whoever called writes it down: if a process fails or
is killed, all end, and no file is touched. Without a GPU they compute on the CPU.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import distributed

from tracelab.core.settings import Part
from tracelab.core.terminal import counted, log
from tracelab.core.waiting import waiting
from tracelab.decoding.sharing import among, gathered, sharing
from tracelab.runs.build import device_of
from tracelab.runs.folder import Run
from tracelab.training import accelerate


def on_devices(run: Run, devices: int, threads: int | None) -> Devices:
    """So many devices of this machine, of the kind that a run computes on."""
    return Devices({**run.settings.trainer, "devices": devices, "num_nodes": 1}, threads)


@dataclass(frozen=True)
class Devices:
    """Calls functions in the processes that a trainer's config asks for. threads: of each; None: a share."""

    trainer: Part
    threads: int | None = None

    def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What the function returns. ValueError if there are not as many GPUs, or of the function itself;
        RuntimeError if a process fails.
        """
        work = partial(_asked, function, *arguments, **options)
        if self.trainer["devices"] == self.trainer.get("num_nodes", 1) == 1:
            return work()
        from tracelab.training.processes import together, wished  # Lightning takes seconds

        check_count(self.trainer)
        lanes = self.threads or accelerate.own_threads()
        with TemporaryDirectory() as folder:
            answer = Path(folder) / "answer"
            together(wished(self.trainer), _take_part, self, lanes, answer, work)
            if not answer.is_file():  # Ctrl-C ends processes without an error
                raise KeyboardInterrupt
            result, error = pickle.loads(answer.read_bytes())
        if error is not None:
            raise ValueError(error)
        return result


def _asked(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What the function returns; while it takes its time, that is said."""
    with waiting("Asking the model"):
        return function(*arguments, **options)


def check_count(trainer: Part) -> None:
    """ValueError if there are not as many GPUs as a trainer's config asks for. (A CPU has any number.)"""
    asked, there = trainer["devices"], torch.cuda.device_count()
    most = max(asked) + 1 if isinstance(asked, list) else asked
    if device_of(trainer).type == "cuda" and most > there:
        raise ValueError(
            f"trainer.devices={asked}: this machine has {counted(there, 'GPU')}; ask for no more"
        )


def _take_part(devices: Devices, lanes: int, answer: Path, work: Callable[[], Any]) -> None:
    """Do the work as one of several processes. lanes: threads that one alone would have."""
    from tracelab.training.processes import own_environment, wished, wished_here

    place = own_environment()
    accelerate.start(devices.threads, wished_here(devices.trainer))
    if device_of(devices.trainer).type == "cuda":
        which = devices.trainer["devices"]
        torch.cuda.set_device(which[place.local_rank()] if isinstance(which, list) else place.local_rank())
    if not distributed.is_initialized():
        distributed.init_process_group("gloo", rank=place.global_rank(), world_size=wished(devices.trainer))
    with ExitStack() as stack:
        stack.enter_context(sharing(lanes))
        if among()[0]:  # the first has said it
            nobody = stack.enter_context(log(Path(os.devnull)))
            stack.enter_context(redirect_stdout(nobody))
            stack.enter_context(redirect_stderr(nobody))
        done: tuple[Any, str | None]
        try:
            done = work(), None
        except ValueError as error:  # all have come to it
            done = None, str(error)
        gathered(None)  # an answer is all processes'
        if not among()[0]:
            answer.write_bytes(pickle.dumps(done))
