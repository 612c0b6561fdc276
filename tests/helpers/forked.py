"""Commands in processes of their own that are forked from one which has imported what takes seconds.

    done = run("-m", "tracelab.train", "seed=1", cwd=folder)      # as `python -m tracelab.train seed=1`
    with start("-m", "tracelab.train", cwd=folder) as process:    # as `subprocess.Popen`

What a process is to others is its own: id, streams, folder, environment, signals and exit status. Imports are
not; so what a command loads, and what it does with another cache, is asked of a fresh `python` elsewhere.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from torch.multiprocessing.spawn import start_processes

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "tracelab.training.experiment",
        "tracelab.posttraining.experiment",
        "tracelab.evaluation.judging",
        "tracelab.runs.tables",
        "tracelab.sweeps",
        "tracelab.plots",
    ]
)
FORKED = partial(start_processes, start_method="forkserver")  # in `training.processes`, for what spawns
CACHES = ("TRACELAB_CACHE", "XDG_CACHE_HOME")
AT_IMPORT = {name: os.environ.get(name) for name in (*CACHES, "OMP_NUM_THREADS")}


class Started:
    """A process that was started; what it says is read when it has ended."""

    def __init__(
        self,
        folder: Path,
        *words: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        spawns: bool = True,
    ) -> None:
        """folder: for what it says. words: those after `python`. env: what is different in its environment.

        spawns: does a sweep spawn its jobs?
        """
        env = environment(env or {})
        self.words, self.said = words, [folder / "stdout", folder / "stderr"]
        given = (words, str(cwd or os.getcwd()), env, self.said, spawns)
        self.process: Any = SERVER.Process(target=_become, args=(given,))
        self.process.start()
        self.pid: int = self.process.pid

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, where it runs."""
        self.process.kill()

    def wait(self, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """How it ended, and what it said."""
        self.process.join(timeout)
        status = self.process.exitcode
        assert status is not None, f"{self.words} still runs after {timeout} s"
        return subprocess.CompletedProcess(self.words, status, *(path.read_text() for path in self.said))


@contextmanager
def start(*words: str, **options: Any) -> Iterator[Started]:
    """A process, which is gone when the block ends."""
    with TemporaryDirectory() as folder:
        process = Started(Path(folder), *words, **options)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            process.process.join()


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Wait for a process -> how it ended, and what it said."""
    with start(*words, **options) as process:
        return process.wait()


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The environment that this process began with, and what is different in it."""
    changes = {name: value for name, value in changes.items() if value != os.environ.get(name)}
    moved = {name for name in CACHES if os.environ.get(name) != AT_IMPORT[name]}
    assert not moved | (set(changes) & set(AT_IMPORT)), "take a fresh python"
    # Lightning sets the number of threads in a process that trains on several, and leaves it so.
    begun = {**os.environ, **AT_IMPORT, **changes}
    return {name: value for name, value in begun.items() if value is not None}


def _become(given: tuple[Any, ...]) -> None:
    """Be the process that `python` with these words would be."""
    (kind, what, *words), cwd, env, said, spawns = given
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _say_to(said)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [cwd, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    if not spawns:
        _fork_jobs(said)
    try:
        if kind == "-m":
            sys.argv = [what, *words]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            assert kind == "-c"
            sys.argv = [kind, *words]
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()


def _say_to(said: list[Path]) -> None:
    """Let what this process says go to files."""
    for number, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)


def _fork_jobs(said: list[Path]) -> None:
    """Let the jobs of a sweep be forked as well, from the same process. What they say goes where it does."""
    from tracelab.launching import processes

    def process(target: Any, args: tuple[Any, ...]) -> Any:
        return SERVER.Process(target=_job, args=(said, target, args))

    processes.SPAWN = SimpleNamespace(Pipe=SERVER.Pipe, Process=process)
    forkserver._forkserver.ensure_running = resource_tracker.ensure_running  # it runs: this one is its child


def _job(said: list[Path], target: Any, args: tuple[Any, ...]) -> None:
    _say_to(said)
    target(*args)
