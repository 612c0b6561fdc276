"""Mazes per second on one core: generated, solved and written as tokens; and traces verified.

    python bench/generation.py            # all sides in turn, three rounds, about two minutes

30x30 Wilson mazes in the published format. ours: tokens; plain_python: the same in the obvious way, as
text; reasoning_gym, where it is installed: mazes of the same size without traces.
"""

from __future__ import annotations

import importlib.util
import random
import time

import plain
from common import arguments, in_turn, report

PEERS = ("reasoning_gym",) if importlib.util.find_spec("reasoning_gym") else ()
GENERATE = ("ours", "plain_python", *PEERS)
VERIFY = ("verify_ours", "verify_plain_python")
SIDE, COUNT = 30, 4000
EQUAL = (
    "one core; 30x30 Wilson mazes, A* trace and path, published format (reasoning_gym: no trace, no search)"
)
EQUAL_VERIFY = (
    "one core; strict verdict on reference traces of 30x30 Wilson mazes (ours: from tokens, all levels)"
)


def ours() -> float:
    """Problems per second, with tokens."""
    task, keys = _task(), _keys(COUNT)
    _sequences(task, task.generate(keys[:8], "train"))
    began = time.perf_counter()
    _sequences(task, task.generate(keys, "train"))
    return COUNT / (time.perf_counter() - began)


def plain_python() -> float:
    """Problems per second, with text."""
    draw, count = random.Random(0), COUNT // 40
    began = time.perf_counter()
    for _ in range(count):
        free = plain.wilson(SIDE, draw)
        start, goal = draw.sample(sorted(free), 2)
        plain.text(SIDE, free, start, goal, *plain.astar(free, start, goal))
    return count / (time.perf_counter() - began)


def reasoning_gym() -> float:
    """Problems per second, no traces."""
    import reasoning_gym as gym

    count = COUNT // 4
    data = gym.create_dataset("maze", min_grid_size=SIDE, max_grid_size=SIDE, size=count, seed=0)
    began = time.perf_counter()
    for i in range(count):
        data[i]
    return count / (time.perf_counter() - began)


def verify_ours() -> float:
    """Completions per second, from tokens to all verdicts."""
    from tracelab.core.ragged import Ragged

    task = _task()
    examples = task.generate(_keys(COUNT), "train")
    sequences = _sequences(task, examples)
    rows = zip(sequences.tokens, sequences.prompt, strict=True)
    completions = Ragged.of([row[prompt:] for row, prompt in rows])
    task.judge(examples, completions)
    began = time.perf_counter()
    verdicts = task.judge(examples, completions)
    seconds = time.perf_counter() - began
    assert verdicts.trace_ok.all()
    return COUNT / seconds


def verify_plain_python() -> float:
    """Traces per second, from parsed steps to the strict verdict."""
    draw, problems = random.Random(0), []
    for _ in range(COUNT // 40):
        free = plain.wilson(SIDE, draw)
        start, goal = draw.sample(sorted(free), 2)
        problems.append((free, start, goal, *plain.astar(free, start, goal)))
    began = time.perf_counter()
    assert all(plain.replay(*problem) for problem in problems)
    return len(problems) / (time.perf_counter() - began)


def _task():
    from tracelab.tasks.maze import Maze

    return Maze(size=SIDE)


def _keys(count):
    from tracelab.core import rng

    return rng.keys(0, "train", 0, count, "problem")


def _sequences(task, examples):
    codec = task.codec
    return codec.assemble(
        task.prompts(examples),
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )


def main() -> None:
    """Run a side, or compare all."""
    options = arguments(__doc__ or "", (*GENERATE, *VERIFY))
    options.threads = 1
    if options.side:
        print(globals()[options.side]())
        return
    report("generation", "problems/s", in_turn(__file__, GENERATE, options), EQUAL, options)
    figures = in_turn(__file__, VERIFY, options)
    figures = {side.removeprefix("verify_"): values for side, values in figures.items()}
    report("verification", "traces/s", figures, EQUAL_VERIFY, options)


if __name__ == "__main__":
    main()
