"""Composing configs and making small runs in tests, as the command line does.

What takes seconds to import is imported by those who compose: others want the names of tasks alone.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tracelab.core.paths import TASKS

if TYPE_CHECKING:
    from tracelab.posttraining.settings import PostTraining
    from tracelab.training.settings import Training


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
    "eval.max_new=48",  # who learned for seconds never stops: writing to the end would be half the time
    "budget.steps=12",
    "checkpoint_every=5",
    "validate_every=6",
    "validate_problems=8",
    "trainer=cpu",
    "trainer.log_every_n_steps=2",
)


FORMATS = "TRACELAB_FORMATS"  # tracelab.plots; not imported, for matplotlib takes seconds


def small(run_dir: Path, *overrides: str) -> Training:
    """The settings of a run of seconds."""
    from tracelab.runs.entry import compose
    from tracelab.training.settings import Training

    return compose(Training, "train", *SMALL, f"run_dir={run_dir}", *overrides)


def post_training(*overrides: str) -> PostTraining:
    """The settings of a post-training, as its command reads them."""
    from tracelab.posttraining.settings import inherited
    from tracelab.runs.entry import compose

    return inherited(compose(dict, "posttrain", *overrides))


@contextmanager
def figures_saved() -> Iterator[None]:
    """While the context lasts figures are saved, as they are for users; tests save none (conftest.py)."""
    before = os.environ.pop(FORMATS, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[FORMATS] = before
