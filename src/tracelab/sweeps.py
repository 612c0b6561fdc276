"""Sweeps that go on where they were: a Hydra callback around the jobs of a multirun.

    python -m tracelab.train -m trace=correct,swapped seed=0,1,2      # the same again resumes it

What a job raises is noted and no other job is stopped; at the end a table says what became of each, and the
exit status is 1 if one failed. Jobs keep their records in files, <sweep>/.jobs/<time>/<number>.json,
so it is one mechanism for every launcher and sweeper, and outlives a process that is killed.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobStatus, filter_overrides
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from tracelab.core.files import read_json, write_json, write_text
from tracelab.core.full_disk import disk_full
from tracelab.core.terminal import endure, log
from tracelab.runs.claims import is_claimed
from tracelab.runs.entry import prepare_process, say
from tracelab.runs.knobs import UNNAMED, effectless, within

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext

Record = dict[str, Any]  # number, overrides, folder, state, accuracy, reason
NEEDED = {".Submitit": "submitit", ".Optuna": "optuna"}  # by what plug-ins of ours are called
ENDED_WELL = ("finished", "resumed", "skipped")  # states of jobs whose run is whole


class Sweep(Callback):
    """Records each job's fate and reports at the end; goes with the jobs to their processes.

    records: their folder; None in single runs, for which nothing is done. aside: what a job in another
    process says goes into its folder's log.txt, for others say something at the same time. may_be_empty: is a
    sweep without jobs in order? (A search that has all its trials is.)
    """

    def __init__(self) -> None:
        self.records: Path | None = None
        self.aside = True
        self.may_be_empty = False
        self.process = os.getpid()  # whose terminal it is
        self.terminal: tuple[Any, Any] | None = None  # while a job writes into its log.txt

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle the callback in a job's process, and prepare that process."""
        self.__dict__ = state
        endure()
        prepare_process()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Begin the records. The report comes at exit, for Hydra says nothing if it is interrupted."""
        check_not_launched()
        check_installed(config.hydra.launcher._target_)
        check_installed(config.hydra.sweeper._target_)
        check_swept(config)
        stamp = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{self.process}"
        self.records = Path(config.hydra.sweep.dir).resolve() / ".jobs" / stamp
        self.records.mkdir(parents=True)
        atexit.register(report, self.records)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Note that it began, and where it runs aside take what it says to its log.txt."""
        if self.records is None:
            return
        folder = Path(config.run_dir)
        self._write(config, state="unfinished")
        say(f"Job {config.hydra.job.num}: {folder}")
        if self.aside and os.getpid() != self.process:
            self.terminal = sys.stdout, sys.stderr
            sys.stdout = sys.stderr = log(folder / "log.txt")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Note how it ended. To Hydra, which would raise it, a failure is an accuracy of nan."""
        if self.records is None:
            return
        error, failed = Path(config.run_dir) / "error.txt", ""
        another = is_claimed(Path(config.run_dir))  # whose run it is: nothing there is said of this job
        if not another:
            error.unlink(missing_ok=True)
        if job_return.status == JobStatus.FAILED:
            failure = job_return._return_value
            failed = "".join(traceback.format_exception(failure))
            job_return.status, job_return.return_value = JobStatus.COMPLETED, float("nan")
            outcome: Record = {"state": "failed", "reason": reason_of(failure)}
        else:
            accuracy = job_return.return_value
            outcome = {"state": accuracy.state, "accuracy": float(accuracy)}
        if self.terminal is not None:
            sys.stdout.close()
            sys.stdout, sys.stderr = self.terminal
            self.terminal = None
        say(f"Job {config.hydra.job.num}: {': '.join(v for v in outcome.values() if isinstance(v, str))}")
        self._write(config, **outcome)
        if failed and not another:
            write_text(error, failed)

    def expect(self, number: int, overrides: Sequence[str]) -> None:
        """Note a job that is to be begun, so that it is in the table whatever comes before it."""
        write_json(self._record(number), {**_named(number, overrides), "folder": "", "state": "not begun"})

    def record(self, number: int) -> Record:
        """What is known of a job."""
        record: Record = read_json(self._record(number))
        return record

    def failed(self, number: int, reason: str) -> None:
        """Note that a job failed which cannot say so itself: its process is gone. One that ended has said."""
        record = self.record(number)
        if record["state"] not in ("unfinished", "not begun"):
            return
        write_json(self._record(number), {**record, "state": "failed", "reason": reason})
        if record["folder"]:
            write_text(Path(record["folder"]) / "error.txt", f"{reason}\n")
        say(f"Job {number}: failed, {reason}")

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """The exit status says whether a job failed, or there was none."""
        assert self.records is not None
        jobs = read(self.records)
        if not jobs and not self.may_be_empty:
            sys.exit("the sweep has no jobs: a glob() matched nothing (it sees no folders within a group)")
        if any(record["state"] in ("failed", "unfinished") for record in jobs):  # or nobody could note it
            sys.exit(1)

    def _write(self, config: DictConfig, **outcome: Any) -> None:
        number = config.hydra.job.num
        named = _named(number, config.hydra.overrides.task)
        write_json(self._record(number), {**named, "folder": str(config.run_dir), **outcome})

    def _record(self, number: int) -> Path:
        assert self.records is not None
        return self.records / f"{number:05}.json"


def _named(number: int, overrides: Sequence[str]) -> Record:
    return {"number": number, "overrides": list(filter_overrides(overrides))}


def sweep_of(context: HydraContext) -> Sweep:
    """The records of the sweep that a launcher works for."""
    callbacks: list[Callback] = context.callbacks.callbacks
    return next(callback for callback in callbacks if isinstance(callback, Sweep))


def check_not_launched() -> None:
    """End the program if torchrun has started it: each of its processes would run the whole sweep."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        sys.exit(
            "a sweep (-m) under torchrun is not supported: torchrun starts the processes of one run. Give "
            "each run a torchrun of its own, or leave torchrun out: a sweep's jobs start the processes of "
            "their machine themselves (trainer=ddp trainer.devices=4; docs/cluster.md)"
        )


def check_installed(plugin: str) -> None:
    """End the program if the package of a launcher or a sweeper is missing."""
    parent, name, *_ = plugin.split(".")
    needed = next((package for word, package in NEEDED.items() if word in plugin), f"{parent}.{name}")
    if find_spec(parent) is None or find_spec(needed) is None:
        sys.exit(f"{needed} is not installed: python -m pip install -c constraints.txt -e '.[sweep]'")


def check_swept(config: DictConfig) -> None:
    """End the program if jobs would share a folder: they differ in what makes no other run, or in what the
    names of folders leave out.
    """
    unnamed = (*UNNAMED, *config.hydra.job.config.override_dirname.exclude_keys)
    same = effectless(config, UNNAMED)
    params = [f"{knob}={value}" for knob, value in (config.hydra.sweeper.get("params") or {}).items()]
    for override in OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task]):
        knob = override.key_or_group
        if not override.is_sweep_override():
            continue
        if within(knob, same):
            sys.exit(
                f"{override.input_line}: runs that differ in {knob} alone are one run, in one folder. Sweep "
                "over what makes other runs (python -m tracelab.evaluate judges a run in another way)"
            )
        if within(knob, unnamed):
            sys.exit(
                f"{override.input_line}: the names of folders leave {knob} out, so that these runs would lie "
                "in one. Give a command for each value, with a hydra.sweep.dir of its own"
            )


def reason_of(error: BaseException) -> str:
    """What went wrong, in one line."""
    if (full := disk_full(error)) is not None:
        return str(full)
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
