"""Jobs of a sweep that a scheduler runs: `hydra/launcher=submitit_slurm`, or `submitit_local` to try that.

    python -m tracelab.train -m hydra/launcher=submitit_slurm hydra.launcher.partition=gpu seed=0,1,2

All are waited for, whatever becomes of each. One that leaves no result (out of memory, out of time, its node
lost) is noted as failed, with the state that the scheduler gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import submitit
from hydra.core.utils import JobReturn
from submitit.core.core import Job as Submitted
from submitit.core.utils import FailedJobError, UncompletedJobError
from submitit.helpers import DelayedSubmission

from tracelab.launching.jobs import Job, Result
from tracelab.sweeps import reason_of

FOLDER = "submitit_folder"
OF_MAKING = ("max_num_timeout",)  # knobs that submitit wants before all others
SHARED = set(submitit.AutoExecutor._valid_parameters())  # knobs that all schedulers have


class Attempt:
    """What is submitted: it runs a job. One that runs out of time is queued again."""

    def __call__(self, job: Job) -> Result:
        """Run a job -> what it returns, or why it failed."""
        try:
            return job.run()
        except Exception as error:
            return reason_of(error)

    def checkpoint(self, job: Job) -> DelayedSubmission:
        """What is queued again: the same, for it goes on where it was."""
        return DelayedSubmission(self, job)


def launch(jobs: list[Job], cluster: str, knobs: Mapping[str, Any]) -> list[JobReturn]:
    """Submit the jobs and wait for all -> what they return, in order. cluster: slurm or local."""
    return gather(jobs, executor(cluster, knobs).map_array(Attempt(), jobs))


def executor(cluster: str, knobs: Mapping[str, Any]) -> submitit.AutoExecutor:
    """Who submits. knobs: those of `conf/hydra/launcher/`."""
    making = {f"{cluster}_{name}": knobs[name] for name in OF_MAKING if name in knobs}
    found = submitit.AutoExecutor(folder=knobs[FOLDER], cluster=cluster, **making)
    others = {name: value for name, value in knobs.items() if name not in (FOLDER, *OF_MAKING)}
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
    except (FailedJobError, UncompletedJobError):
        return f"it left no result ({submitted.state}): see {submitted.paths.stderr}"
