"""Jobs of a sweep that a scheduler runs: `hydra/launcher=submitit_slurm`, or `submitit_local` to try that.

    python -m tracelab.train -m hydra/launcher=submitit_slurm hydra.launcher.partition=gpu seed=0,1,2

All are waited for, whatever becomes of each. One that is warned that its time is up saves what it has and is
queued again; most clusters also queue one again whose node is lost. One that leaves no result (killed,
cancelled) is noted as failed, with the state that the scheduler gives it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

import cloudpickle
import submitit
from hydra.core.utils import JobReturn
from submitit.core.core import Job as Submitted
from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.helpers import DelayedSubmission

from tracelab.launching.jobs import Job, Result
from tracelab.launching.states import watch
from tracelab.runs.signals import WARNING, warned
from tracelab.sweeps import reason_of

FOLDER = "submitit_folder"
OF_MAKING = ("max_num_timeout",)  # knobs that submitit wants before all others
SHARED = set(submitit.AutoExecutor._valid_parameters())  # knobs that all schedulers have
NO_TIME_LEFT = (
    "it was not done in the time of all its turns (hydra.launcher.timeout_min, max_num_timeout): the same "
    "command goes on where it was"
)


class Attempt:
    """What is submitted: it runs a job. One whose time is up is queued again."""

    def __call__(self, pickled: bytes) -> Result:
        """Run a job -> what it returns, or why it failed."""
        queue_again: Any = signal.getsignal(WARNING)  # submitit's, which ends this process
        with warned() as warnings:
            try:
                result: JobReturn = cloudpickle.loads(pickled).run()
                return result
            except Exception as error:
                reason = reason_of(error)
            except (KeyboardInterrupt, SystemExit):
                reason = ""
                if not warnings:
                    raise
        if not warnings:
            return reason
        try:
            queue_again(WARNING, None)
        except UncompletedJobError:
            return NO_TIME_LEFT
        return reason

    def checkpoint(self, pickled: bytes) -> DelayedSubmission:
        """What is queued again: the job as it came, for it goes on where it was."""
        return DelayedSubmission(self, pickled)


def launch(jobs: list[Job], cluster: str, knobs: Mapping[str, Any]) -> list[JobReturn]:
    """Submit the jobs and wait for all -> what they return, in order. cluster: slurm or local."""
    submitted = executor(cluster, knobs).map_array(Attempt(), [cloudpickle.dumps(job) for job in jobs])
    if cluster == "slurm":
        watch(submitted)
    return gather(jobs, submitted)


def executor(cluster: str, knobs: Mapping[str, Any]) -> submitit.AutoExecutor:
    """Who submits. knobs: those of `conf/hydra/launcher/`."""
    making = {f"{cluster}_{name}": knobs[name] for name in OF_MAKING if name in knobs}
    found = submitit.AutoExecutor(folder=knobs[FOLDER], cluster=cluster, **making)
    others = {name: value for name, value in knobs.items() if name not in (FOLDER, *OF_MAKING)}
    cores = others.get("cpus_per_task") if cluster == "slurm" else None
    if cores:  # srun asks for one, whatever sbatch got
        others["srun_args"] = [f"--cpus-per-task={cores}", *(others.get("srun_args") or ())]
    named = {name if name in SHARED else f"{cluster}_{name}": value for name, value in others.items()}
    found.update_parameters(**named)
    return found


def gather(jobs: Sequence[Job], submitted: Sequence[Submitted[Result]]) -> list[JobReturn]:
    """What all jobs return, each waited for in turn."""
    return [job.came_to(result_of(each)) for job, each in zip(jobs, submitted, strict=True)]


def result_of(submitted: Submitted[Result]) -> Result:
    """Wait for a job -> what it returns, or why it failed."""
    try:
        return submitted.results()[0]
    except FailedJobError as error:
        trace = str(error).rpartition("\n-----")[0]  # submitit frames it
        return trace.strip().splitlines()[-1]
    except UncompletedJobError:
        said = submitted.paths.stderr
        where = f": see {said}" if said.is_file() else ", nor did it begin"
        return f"it left no result ({submitted.state}){where}"
