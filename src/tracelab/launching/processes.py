"""Jobs of a sweep in processes of their own: one after another, or several at once.

    python -m tracelab.train -m seed=0,1,2
    python -m tracelab.train -m hydra/launcher=joblib seed=0,1,2

A process runs one job after another. One that is killed (out of memory, say) takes its job with it and no
other: the job is noted as failed, and a new process takes the next. A signal that stops is passed on to all;
they save what they have, and no job is begun any more. When the sweep itself is killed, they stop as well.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import cloudpickle
import joblib
from hydra.core.utils import JobReturn, env_override
from joblib.parallel import ParallelBackendBase

from tracelab.launching.jobs import Job, Result
from tracelab.runs.signals import passed_on
from tracelab.sweeps import reason_of

SPAWN = multiprocessing.get_context("spawn")  # a fork has locks, not the threads that hold them


class Worker:
    """A process that runs jobs, one after another, until one is told to stop."""

    def __init__(self) -> None:
        self.pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(theirs,))
        self.process.start()
        theirs.close()

    def __call__(self, job: Job) -> Result:
        """Run a job -> what it returns; or why it failed, "" if it was told to stop."""
        try:
            self.pipe.send_bytes(cloudpickle.dumps(job))
            result: Result = cloudpickle.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            self.process.join()
            return how_it_ended(self.process.exitcode or 0)
        return result

    def end(self) -> None:
        """Let the process end."""
        self.pipe.close()
        self.process.join()


class Pool:
    """Workers, of which no more are started than jobs run at once."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once if at_once > 0 else joblib.cpu_count()
        self.workers: list[Worker] = []
        self.idle: list[Worker] = []
        self.told: list[int] = []  # the signal that came

    def __call__(self, jobs: list[Job]) -> list[JobReturn]:
        """Run the jobs -> what they return, in order."""
        with (
            env_override(shares(self.at_once)),
            passed_on(self.alive) as self.told,
            ThreadPoolExecutor(self.at_once) as threads,
        ):
            try:
                results = list(threads.map(self._run, jobs))
            except BaseException:  # a second Ctrl-C
                self.told.append(signal.SIGKILL)
                for worker in self.workers:
                    worker.process.kill()
                raise
        for worker in self.workers:
            worker.end()
        if self.told:
            raise KeyboardInterrupt if self.told[0] == signal.SIGINT else SystemExit(128 + self.told[0])
        return results

    def alive(self) -> list[int]:
        """Ids of the processes that run."""
        return [worker.process.pid or 0 for worker in self.workers if worker.process.is_alive()]

    def _run(self, job: Job) -> JobReturn:
        """Run a job in an idle process. One that fails returns nan, and its record says why."""
        result: Result = ""
        if not self.told:
            worker = self.idle.pop() if self.idle else self._start()
            result = worker(job)
            if isinstance(result, JobReturn):
                self.idle.append(worker)
        return job.came_to("" if self.told and isinstance(result, str) else result)

    def _start(self) -> Worker:
        worker = Worker()
        self.workers.append(worker)
        for number in self.told[:1]:  # it came while the process was started
            os.kill(worker.process.pid or 0, number)
        return worker


def shares(at_once: int) -> dict[str, str]:
    """Environment of processes of which each gets its share of the cores, where nobody said otherwise.

    One alone computes as it would without a sweep, which need not be with a thread on every core.
    """
    if at_once == 1:
        return {}
    threads = str(max(1, joblib.cpu_count() // at_once))
    return {name: os.environ.get(name, threads) for name in ParallelBackendBase.MAX_NUM_THREADS_VARS}


def serve(pipe: Connection) -> None:
    """Run the jobs that come, in a process of its own."""
    os.setpgrp()  # Ctrl-C is the first process's to pass on, which shells let some programs ignore
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=stop_with_parent, daemon=True).start()
    goes_on = True
    while goes_on:
        try:
            job = pipe.recv_bytes()
        except EOFError:
            return
        result = attempt(job)
        goes_on = isinstance(result, JobReturn)
        pipe.send_bytes(cloudpickle.dumps(result))


def attempt(pickled: bytes) -> Result:
    """Run a job -> what it returns; or why it failed, "" if it was told to stop."""
    try:
        result: JobReturn = cloudpickle.loads(pickled).run()
    except KeyboardInterrupt:
        return ""
    except BaseException as error:
        return reason_of(error)
    return result


def stop_with_parent() -> None:
    """Wait for the end of the process that started this one; then tell this one to stop."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def how_it_ended(status: int) -> str:
    """Why a process's job failed, from the process's exit status."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    name = signal.Signals(-status).name
    return f"its process was killed ({name})" + (": out of memory?" if name == "SIGKILL" else "")
