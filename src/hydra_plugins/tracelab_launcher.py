"""Hydra's door to `tracelab.launching`: it takes launchers from the package hydra_plugins alone.

    python -m tracelab.train -m seed=0,1,2                              # basic: one job after another
    python -m tracelab.train -m hydra/launcher=joblib seed=0,1,2

Hydra's launchers of these names have more knobs; those of joblib that `Processes` does not name do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from tracelab.launching.jobs import Job, Overrides


class Ours(Launcher):
    """A launcher whose jobs have processes of their own."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what jobs are made of."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def jobs(self, overrides: Overrides, first: int) -> list[Job]:
        """A job of each list of overrides. first: the number of the first of them."""
        from tracelab.launching.jobs import jobs_of

        return jobs_of(self.hydra_context, self.task_function, self.config, overrides, first)


class InTurn(Ours):
    """Runs the jobs of a sweep one after another, on the terminal."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs -> what they return, in order."""
        from tracelab.launching.processes import Pool
        from tracelab.sweeps import sweep_of

        sweep_of(self.hydra_context).aside = False
        return Pool(1)(self.jobs(job_overrides, initial_job_idx))


class Processes(Ours):
    """Runs the jobs of a sweep n_jobs at once; -1: as many as there are cores."""

    def __init__(self, n_jobs: int = -1, **_: Any) -> None:
        self.n_jobs = n_jobs

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs -> what they return, in order."""
        from tracelab.launching.processes import Pool

        return Pool(self.n_jobs)(self.jobs(job_overrides, initial_job_idx))


class SubmititSlurm(Ours):
    """Has SLURM run the jobs of a sweep. knobs: those of `conf/hydra/launcher/submitit_slurm.yaml`."""

    cluster = "slurm"

    def __init__(self, **knobs: Any) -> None:
        self.knobs = {
            name: OmegaConf.to_container(knob, resolve=True) if OmegaConf.is_config(knob) else knob
            for name, knob in knobs.items()
        }

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the jobs and wait for all -> what they return, in order."""
        from tracelab.launching.scheduler import launch

        return launch(self.jobs(job_overrides, initial_job_idx), self.cluster, self.knobs)


class SubmititLocal(SubmititSlurm):
    """The same with submitit's processes on this machine."""

    cluster = "local"
