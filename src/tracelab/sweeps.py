"""Sweeps that go on where they were: a Hydra callback around the jobs of a multirun.

    python -m tracelab.train -m trace=correct,swapped seed=0,1,2      # the same again resumes it

What a job raises is noted and no other job is stopped; at the end a table says what became of each,
and the exit status is 1 if one failed. Jobs keep their records in files, <sweep>/.jobs/<time>/<number>.json,
so it is one mechanism for every launcher and sweeper, and outlives a process that is killed.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobStatus, filter_overrides
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from tracelab.core.files import read_json, write_json, write_text
from tracelab.core.terminal import endure, log
from tracelab.runs.entry import prepare_process, say

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

Record = dict[str, Any]  # number, overrides, folder, state, accuracy, reason


class Sweep(Callback):
    """Records each job's fate and reports at the end; goes with the jobs to their processes.

    records: their folder; None in single runs, for which nothing is done.
    """

    def __init__(self) -> None:
        self.records: Path | None = None
        self.process = os.getpid()  # whose terminal it is
        self.terminal: tuple[Any, Any] | None = None  # while a job writes into its log.txt

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle the callback in a job's process, and prepare that process."""
        self.__dict__ = state
        endure()
        prepare_process()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Begin the records. The report comes at exit, for Hydra says nothing if it is interrupted."""
        check_installed(config.hydra.launcher._target_)
        stamp = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{self.process}"
        self.records = Path(config.hydra.sweep.dir).resolve() / ".jobs" / stamp
        self.records.mkdir(parents=True)
        atexit.register(report, self.records)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Note that it began; what a job in another process says goes into its folder's log.txt."""
        if self.records is None:
            return
        folder = Path(config.run_dir)
        self._write(config, state="unfinished")
        say(f"Job {config.hydra.job.num}: {folder}")
        if os.getpid() != self.process:
            self.terminal = sys.stdout, sys.stderr
            sys.stdout = sys.stderr = log(folder / "log.txt")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Note how it ended. To Hydra, which would raise it, a failure is an accuracy of nan."""
        if self.records is None:
            return
        error = Path(config.run_dir) / "error.txt"
        error.unlink(missing_ok=True)
        if job_return.status == JobStatus.FAILED:
            failure = job_return._return_value
            write_text(error, "".join(traceback.format_exception(failure)))
            job_return.status, job_return.return_value = JobStatus.COMPLETED, float("nan")
            outcome: Record = {"state": "failed", "reason": reason_of(failure)}
        else:
            accuracy = job_return.return_value
            outcome = {"state": accuracy.state, "accuracy": float(accuracy)}
        if self.terminal is not None:
            sys.stdout.close()
            sys.stdout, sys.stderr = self.terminal
            self.terminal = None
        self._write(config, **outcome)
        say(f"Job {config.hydra.job.num}: {': '.join(v for v in outcome.values() if isinstance(v, str))}")

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """The exit status says whether a job failed, or there was none."""
        assert self.records is not None
        jobs = read(self.records)
        if not jobs:
            sys.exit("the sweep has no jobs: a glob() matched nothing (it sees no folders within a group)")
        if any(record["state"] == "failed" for record in jobs):
            sys.exit(1)

    def _write(self, config: DictConfig, **outcome: Any) -> None:
        assert self.records is not None
        job = config.hydra.job
        record = {
            "number": job.num,
            "overrides": list(filter_overrides(config.hydra.overrides.task)),
            "folder": str(config.run_dir),
            **outcome,
        }
        write_json(self.records / f"{job.num:05}.json", record)


def check_installed(launcher: str) -> None:
    """End the program if the launcher's package is missing."""
    parent, name = launcher.split(".")[:2]
    if find_spec(parent) is None or find_spec(f"{parent}.{name}") is None:
        sys.exit(f"{parent}.{name} is not installed: python -m pip install -c constraints.txt -e '.[sweep]'")


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def read(records: Path) -> list[Record]:
    """The jobs of a sweep in order."""
    return [read_json(path) for path in sorted(records.glob("*.json"))]


def report(records: Path) -> None:
    """Print what became of each job."""
    from tracelab.runs.tables import print_sweep

    jobs = read(records)
    if jobs:
        print_sweep(jobs)
