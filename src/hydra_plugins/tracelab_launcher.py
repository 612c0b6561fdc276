"""Hydra's door to `tracelab.launching`: it takes launchers from the package hydra_plugins alone.

python -m tracelab.train -m hydra/launcher=joblib seed=0,1,2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class Processes(Launcher):
    """Runs the jobs of a sweep in processes of its own, n_jobs at once; -1: as many as there are cores.

    Hydra's launcher of this name, which uses joblib, has more knobs; here they are without effect.
    """

    def __init__(self, n_jobs: int = -1, **_: Any) -> None:
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what jobs are made of."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs -> what they return, in order."""
        from tracelab.launching import launch

        made_of = self.hydra_context, self.task_function, self.config
        return launch(*made_of, [tuple(each) for each in job_overrides], initial_job_idx, self.n_jobs)
