"""How many of a task's test problems are trained on under other names."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tracelab.core import rng


def share_under_other_names(task: Any, unnamed: Callable[..., object], trained: int) -> float:
    """The share of 256 test problems that are among the first `trained` training problems, once `unnamed` has
    taken the names away. No problem is in both with its names.
    """
    train = task.generate(rng.keys(0, "train", 0, trained, "problem"), "train")
    test = task.generate(rng.keys(0, "test", 0, 256, "problem"), "test")
    assert not np.intersect1d(train.identity, test.identity).size
    known = {unnamed(problem) for problem in train.problem}
    return float(np.mean([unnamed(problem) in known for problem in test.problem]))
