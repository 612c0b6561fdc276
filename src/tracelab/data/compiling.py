"""Kernels that an experiment needs are compiled by several processes, before it needs them.

    compile_ahead(config["task"], config["trace"])

Compiled when they are met, they would be compiled one after another. Which they are is found by a rehearsal:
a few problems are drawn, treated and judged by kernels that are plain Python. It is done once for each kind
of task and treatment and each version of the sources; what it did not meet is compiled when it is met.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor as Threads
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import joblib

from tracelab.core.jit import disabled, kernels_folder
from tracelab.core.paths import not_kept
from tracelab.core.settings import Part
from tracelab.core.waiting import waiting

PARTS = ("task", "trace")
ROOM = 2**16  # bytes: a kernel or two
Parts = Mapping[str, Any]  # of a config: task and trace
Needed = tuple[str, str, str, Any]  # the task's module, the kernel's, its name, its signature


def compile_ahead(task: Part, trace: Part) -> None:
    """Compile, or find that it was done before. Of a config's parts `task` and `trace` the classes matter."""
    compile_for([{"task": task, "trace": trace}])


def compile_for(experiments: Sequence[Parts]) -> None:
    """`compile_ahead` for several tasks and treatments.

    Nothing is done on one core, where nothing is gained, where the cache keeps nothing of it, and where
    kernels are not compiled at all.
    """
    workers = joblib.cpu_count()
    if workers == 1 or disabled():
        return
    try:
        new = [parts for parts in experiments if not all(mark.is_file() for mark in _marks(parts))]
        if new:
            _check_room(kernels_folder())
    except OSError as error:
        not_kept(error)
        return
    if new:
        _compile_new(new, workers)


def _check_room(folder: Path) -> None:
    """OSError if nothing can be written there: what other processes compile would be lost."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        file.write(bytes(ROOM))


def _compile_new(new: Sequence[Parts], workers: int) -> None:
    with waiting("Looking what is to be compiled", len(new)) as done:
        kernels: dict[Needed, None] = {}
        for found in joblib.Parallel(workers, "threading")(
            joblib.delayed(_rehearsed)(parts) for parts in new
        ):
            kernels |= dict.fromkeys(pickle.loads(found))  # here, as modules are imported
            done(1)
    compiled(list(kernels), workers)
    with suppress(OSError):
        for mark in (mark for parts in new for mark in _marks(parts)):
            mark.touch()


def _marks(parts: Parts) -> list[Path]:
    """Files that say that the kernels of a task and of a treatment are there."""
    return [kernels_folder() / f"{parts[part]['_target_']}.compiled" for part in PARTS]


def needed(parts: Parts) -> list[Needed]:
    """What a task and a treatment call, in order."""
    kernels: list[Needed] = pickle.loads(_rehearsed(parts))
    return kernels


def _rehearsed(parts: Parts) -> bytes:
    """What `needed` returns, pickled. Where a rehearsal fails (kernels that cannot run as Python) it is
    nothing, and a warning: they are compiled when they are met.
    """
    options: Any = _options("tracelab.data.rehearsal")
    done = subprocess.run(**options, input=json.dumps(parts).encode(), stderr=subprocess.PIPE)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        warnings.warn(f"{parts['task']['_target_']}: kernels are not compiled ahead ({said})", stacklevel=2)
        return pickle.dumps([])
    return bytes(done.stdout)


def compiled(kernels: Sequence[Needed], workers: int) -> None:
    """Compile each, in so many processes; those that stand on disk are read.

    A process has a task to itself while there are tasks left, for kernels of one task call the same others:
    two processes would both compile those. A process that dies leaves its kernel to be compiled when it is
    met. (Pools of processes will not do: one takes the memory that compiling needs for a leak, another wants
    the main module imported again.)
    """
    tasks: dict[str, deque[Needed]] = {}
    for kernel in kernels:
        tasks.setdefault(kernel[0], deque()).append(kernel)
    free, every = deque(tasks.values()), list(tasks.values())
    with waiting("Compiling kernels (once per version)", len(kernels)) as done, Threads(workers) as threads:
        for _ in threads.map(_work, [free] * workers, [every] * workers, [done] * workers):
            pass


def _work(free: deque[deque[Needed]], every: list[deque[Needed]], done: Callable[[int], None]) -> None:
    """Have one process compile what waits, one kernel after another."""
    options: Any = _options("tracelab.data.compiling")
    process: Any
    with subprocess.Popen(**options, stdin=subprocess.PIPE) as process:
        for kernels in _own_first(free, every):
            while kernels and process.poll() is None:
                with suppress(IndexError, BrokenPipeError):
                    pickle.dump(kernels.popleft(), process.stdin)
                    process.stdin.flush()
                    done(len(process.stdout.readline()))


def _own_first(free: deque[deque[Needed]], every: list[deque[Needed]]) -> Iterator[deque[Needed]]:
    """Tasks that nobody has begun with; then all of them, for what is left."""
    while free:
        with suppress(IndexError):  # another was faster
            yield free.popleft()
    yield from every


def _options(module: str) -> dict[str, Any]:
    """Arguments of `subprocess` for a process that runs one of our modules and answers on standard output."""
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return {"args": [sys.executable, "-m", module], "stdout": subprocess.PIPE, "env": {**os.environ, **path}}


def _compile(task: str, module: str, name: str, signature: Any) -> None:
    import_module(task)
    getattr(import_module(module), name).compile(signature)


if __name__ == "__main__":
    with suppress(EOFError):
        while True:
            _compile(*pickle.load(sys.stdin.buffer))
            print(flush=True)  # one character: one kernel is done
