"""Composing configs and making small runs in tests, as the command line does."""

import pkgutil
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from tracelab.core.paths import CONF, TASKS
from tracelab.runs.entry import register_resolvers
from tracelab.runs.older import admitted


def task_names() -> list[str]:
    """Whatever is a task in `tasks/`: a folder or a file each, but for what several share."""
    return sorted(name for _, name, _ in pkgutil.iter_modules([str(TASKS)]) if name != "shared")


KEPT = Path(__file__).parents[1] / "data" / "run_0.1"  # a run's folder, written by an earlier version

# seconds, not minutes; still the real path from problems to figures
SMALL = (
    "task.size=5",
    "task.ood=[{generator:dfs}]",
    "model.layers=2",
    "model.width=32",
    "model.heads=2",
    "model.mlp=64",
    "data.train_size=400",
    "data.val_size=32",
    "data.batch_tokens=2048",
    "eval.problems=24",
    "budget.steps=12",
    "checkpoint_every=5",
    "validate_every=6",
    "validate_problems=8",
    "trainer=cpu",
    "trainer.log_every_n_steps=2",
)


def config(name: str, *overrides: str) -> DictConfig:
    """A composed config whose `hydra:` interpolations resolve."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose(name, admitted(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(composed)
    with open_dict(composed):
        del composed["hydra"]
    return composed


def small(run_dir: Path, *overrides: str) -> DictConfig:
    """The config of a run of seconds."""
    return config("train", *SMALL, f"run_dir={run_dir}", *overrides)
