"""The jobs of a sweep, as they go to other processes, and what Hydra is told of them.

    for job in jobs_of(context, task, config, overrides, 0):
        job.came_to(job.run())

Whatever becomes of a job, it returns: to Hydra one that failed is nan, and its record says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from tracelab.sweeps import sweep_of

Result = JobReturn | str  # what a job returns; or why it failed, "" if it was told to stop
Overrides = Sequence[Sequence[str]]  # a list for each job


class Job(NamedTuple):
    """A job of a sweep, and what Hydra needs to run it in another process."""

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    singletons: dict[Any, Any]
    number: int
    overrides: tuple[str, ...]

    def run(self) -> JobReturn:
        """Run it here, as Hydra's own launchers do."""
        setup_globals()
        Singleton.set_state(self.singletons)
        config = self.context.config_loader.load_sweep_config(self.config, list(self.overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{self.number}"
            config.hydra.job.num = self.number
        HydraConfig.instance().set_config(config)
        return run_job(self.task, config, "hydra.sweep.dir", "hydra.sweep.subdir", self.context)

    def came_to(self, result: Result) -> JobReturn:
        """Note why it failed, if it did -> what Hydra is to know."""
        if isinstance(result, JobReturn):
            return result
        if result:
            sweep_of(self.context).failed(self.number, result)
        return JobReturn(list(self.overrides), _return_value=float("nan"), status=JobStatus.COMPLETED)


def jobs_of(
    context: HydraContext, task: TaskFunction, config: DictConfig, overrides: Overrides, first: int
) -> list[Job]:
    """A job of each list of overrides, all noted as not begun. first: the number of the first of them."""
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    state = Singleton.get_state()
    jobs = [Job(context, task, config, state, first + k, tuple(each)) for k, each in enumerate(overrides)]
    for job in jobs:
        sweep_of(context).expect(job.number, job.overrides)
    return jobs
