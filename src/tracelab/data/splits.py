"""Splits: where each one's problems are drawn, and the test sets, which share no problem with others.

sets = test_sets(task, seed=0, count=256, against={"train": examples})
task, examples = sets["wilson"]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from tracelab.core.terminal import counted
from tracelab.core.types import SPLITS, Examples, Task
from tracelab.core.waiting import waiting
from tracelab.data.frozen import HERE, problems
from tracelab.data.store import Columns, cached, description
from tracelab.data.workers import Workers

TestSets = Mapping[str, tuple[Task, Examples]]


class Stream(NamedTuple):
    """Where problems are drawn: the task that they are of, the split that owns them, the stream's name."""

    task: Task
    split: str
    name: str


def far(task: Task) -> dict[str, Stream]:
    """Where the test sets out of distribution are drawn, by name."""
    return {name: Stream(other, "ood", f"problem {name}") for name, other in task.test_sets().items()}


def stream_of(task: Task, split: str) -> Stream:
    """Where the problems of a split are drawn: train, val, test, or a test set out of distribution by name.

    ValueError if it is none of these. The split ood is none: it holds all those test sets.
    """
    near = [name for name in SPLITS if name != "ood"]
    if split in near:
        return Stream(task, split, "problem")
    others = far(task)
    if split not in others:
        raise ValueError(
            f"split={split!r} is unknown; choose one of {', '.join(near)}, or a test set out of distribution "
            f"by its name: {', '.join(others) or 'there are none, for task.ood is empty'}"
        )
    return others[split]


def test_sets(
    task: Task,
    seed: int,
    count: int,
    against: Mapping[str, Examples] | None = None,
    workers: Workers = HERE,
) -> dict[str, tuple[Task, Examples]]:
    """The test sets by name, each with the task that it is of and in a stream of its own.

    The first is in distribution (split "test"), the others are the task's variants (split "ood").
    ValueError if one shares a problem with `against`.
    """
    check_far(task, seed)
    own, others = getattr(task, "in_distribution", task.name), far(task)
    sets = {own: (task, problems(task, seed=seed, split="test", count=count, workers=workers))}
    for name, (variant, split, stream) in others.items():
        examples = problems(variant, seed=seed, split=split, count=count, name=stream, workers=workers)
        sets[name] = (variant, examples)
    for name, (_, examples) in sets.items():
        assert_disjoint({**(against or {}), name: examples})
    return sets


def check_far(task: Any, seed: int, ready: Callable[[], None] | None = None) -> None:
    """ValueError if a test set out of distribution has the first one's name, or a knob without effect."""
    if (own := getattr(task, "in_distribution", task.name)) in far(task):
        raise ValueError(f"two test sets are called {own}: leave it out of the out-of-distribution sets")
    for change, knob in zip(getattr(task, "ood", ()), idle(task, seed, ready), strict=True):
        if (why := task.why_idle(change, knob)) is not None:
            raise ValueError(why)


def idle(task: Any, seed: int, ready: Callable[[], None] | None = None) -> list[int]:
    """Which of each test set's knobs changes nothing, -1 where none is, see `Varied`. It is asked once.

    ready: is called before problems are drawn, to compile what that needs.
    """
    if not hasattr(task, "idle") or not task.ood:
        return [-1] * len(getattr(task, "ood", ()))

    def ask() -> Columns:
        if ready is not None:
            ready()
        with waiting("Looking whether test sets differ"):
            return {"knob": np.array(task.idle(seed), np.int64)}

    made_of = {"task": description(task), "seed": seed, "idle": "knobs"}
    return np.asarray(cached(f"{task.name}-idle", made_of, ask, type(task).__mro__)["knob"]).tolist()


def assert_disjoint(sets: Mapping[str, Examples]) -> None:
    """ValueError if two sets share a problem. (Test sets of one split may; splits may not.)"""
    for (a, ours), (b, theirs) in combinations(sets.items(), 2):
        shared = len(np.intersect1d(ours.identity, theirs.identity))
        if shared:
            raise ValueError(
                f"{a} and {b} share {counted(shared, 'problem')} (by canonical hash): a model would be "
                "tested on what it was trained on. Draw them in different splits, or leave what is shared out"
            )
