"""Every task on one core: problems generated with trace and tokens, and completions verified, per second.

    python bench/tasks.py                 # all tasks, three rounds in turn, about five minutes
    python bench/tasks.py --sides sokoban:generate sokoban:verify

At the medium setting (the YAML's own); and against reasoning_gym's generator of the same kind of problem at
the same size, where it has one. Its problems come as text and without a trace.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from common import Row, arguments, in_turn, report

from tracelab.core.paths import CONF

COUNT = 4000
TASKS = sorted(path.stem for path in (CONF / "task").glob("*.yaml"))
# ours at the peer's size -> (our knobs, the peer's name, its knobs)
GYM: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "countdown": (
        {"numbers": 4, "ood": []},
        "countdown",
        {"min_numbers": 4, "max_numbers": 4, "max_value": 50, "min_target": 10, "max_target": 100},
    ),
    "graph_path": ({"generator": "star", "star": [3, 5], "ood": []}, "path_star", {}),
    "knights_knaves": ({"people": 5}, "knights_knaves", {"n_people": 5}),
    "maze": ({"size": 20}, "maze", {"min_grid_size": 20, "max_grid_size": 20}),
    "sokoban": (
        {"size": 7, "boxes": 2, "pulls": [2, 8], "longest": 120, "ood": []},
        "sokoban",
        {"min_w": 7, "max_w": 7, "min_h": 7, "max_h": 7, "min_boxes": 2, "max_boxes": 2},
    ),
    "sudoku": (
        {"size": 9, "clues": [31, 51], "ood": []},
        "sudoku",
        {"min_empty": 30, "max_empty": 50},
    ),
}
GYM_SECONDS = 4.0
ROWS = [
    Row(
        f"{task} with trace and tokens",
        f"{task}:gym",
        f"reasoning_gym's {theirs} with {', '.join(f'{k}={v}' for k, v in knobs.items()) or 'its defaults'}, "
        "ours at the same size; one core; theirs is text without a trace",
        f"{COUNT:,} / {GYM_SECONDS:g} s",
        f"{task}:same",
    )
    for task, (_, theirs, knobs) in GYM.items()
]


def built(name: str, **knobs: Any) -> Any:
    """A task as its YAML says, but for the knobs."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    return instantiate(OmegaConf.merge(OmegaConf.load(CONF / "task" / f"{name}.yaml"), knobs))


def keys(count: int, name: str) -> Any:
    from tracelab.core import rng

    return rng.keys(0, "train", 0, count, name)


def generate(task: Any, count: int = COUNT) -> float:
    """Problems per second, with trace, solution, prompt and all their tokens."""
    from tracelab.data.frozen import references

    for n, name in ((64, "warm"), (count, "timed")):
        began = time.perf_counter()
        examples = task.generate(keys(n, name), "train")
        task.prompts(examples)
        references(task, examples)
    return count / (time.perf_counter() - began)


def verify(task: Any, count: int = COUNT) -> float:
    """Completions per second, from tokens to all verdicts."""
    from tracelab.data.frozen import references

    examples = task.generate(keys(count, "timed"), "train")
    completions = references(task, examples)
    few = np.arange(min(64, count))
    task.judge(examples.take(few), completions.take(few))
    began = time.perf_counter()
    verdicts = task.judge(examples, completions)
    seconds = time.perf_counter() - began
    assert verdicts.trace_ok.all()
    return count / seconds


def gym(name: str, knobs: dict[str, Any], seconds: float = GYM_SECONDS) -> float:
    """Problems per second of the peer's generator."""
    import reasoning_gym

    data = reasoning_gym.create_dataset(name, size=100_000, seed=0, **knobs)
    count = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        data[count]
        count += 1
    return count / (time.perf_counter() - began)


def sides_of(task: str) -> list[str]:
    both = ["same", "gym"] if task in GYM and find_spec("reasoning_gym") else []
    return [f"{task}:{side}" for side in ("generate", "verify", *both)]


def measure(side: str) -> float:
    task, _, what = side.partition(":")
    if what in ("same", "gym"):
        knobs, theirs, their_knobs = GYM[task]
        return generate(built(task, **knobs)) if what == "same" else gym(theirs, their_knobs)
    return {"generate": generate, "verify": verify}[what](built(task))


def main() -> None:
    sides = [side for task in TASKS for side in sides_of(task)]
    options = arguments("Tasks: generation and verification speed", sides)
    options.threads = 1
    if options.side:
        print(measure(options.side))
        return
    figures: dict[str, list[float]] = {}
    for task in TASKS:
        figures |= in_turn(__file__, sides_of(task), options)
    report("tasks", "problems/s", figures, ROWS, options, same_as_gym=GYM)


if __name__ == "__main__":
    main()
