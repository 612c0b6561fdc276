"""Hydra's door to `tracelab.tuning`: it takes sweepers from the package hydra_plugins alone.

    python -m tracelab.train -m hydra/sweeper=optuna 'optim.optimizer.lr=tag(log,interval(1e-4,1e-2))'

`conf/hydra/sweeper/optuna.yaml` says what its knobs are.
"""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class Optuna(Sweeper):
    """Has Optuna propose the jobs of a sweep. knobs: those of `conf/hydra/sweeper/optuna.yaml`."""

    def __init__(self, **knobs: Any) -> None:
        self.knobs = {
            name: OmegaConf.to_container(knob, resolve=True) if OmegaConf.is_config(knob) else knob
            for name, knob in knobs.items()
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what jobs are made of, and make the launcher that runs them."""
        from hydra.core.plugins import Plugins

        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Any]:
        """Run trials until there are as many as were asked for -> what their jobs return."""
        from tracelab.tuning.searching import search

        assert self.launcher is not None
        return search(self.knobs, arguments, self.hydra_context, self.config, self.launcher.launch)
