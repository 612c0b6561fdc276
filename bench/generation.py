"""Mazes per second on one core: generated, solved and written as tokens; and traces verified.

    python bench/generation.py            # all sides in turn, three rounds, about two minutes

30x30 Wilson mazes in the published format. ours: tokens; plain_python: the same in the obvious way, as
text (bench/plain.py); where they are installed, reasoning_gym and maze_dataset: mazes of the same size,
without a trace of the search.
"""

from __future__ import annotations

import random
import time
from importlib.util import find_spec

import plain
from common import Row, arguments, in_turn, report

PEERS = tuple(name for name in ("reasoning_gym", "maze_dataset") if find_spec(name))
GENERATE = ("ours", "plain_python", *PEERS)
VERIFY = ("verify_ours", "verify_plain_python")
SIDE, COUNT = 30, 4000
SOLVED = 60  # mazes of maze_dataset
WHAT = "mazes 30x30 with A* trace and tokens"
ROWS = (
    Row(WHAT, "plain_python", "one core, Wilson, trace, published format", f"{COUNT:,} / {COUNT // 40}"),
    Row(WHAT, "maze_dataset", "one core, Wilson, 15x15 rooms, solution; no trace", f"{COUNT:,} / {SOLVED}"),
    Row(WHAT, "reasoning_gym", "one core, size; no trace, no path", f"{COUNT:,} / {COUNT // 4:,}"),
)
ROWS_VERIFY = (
    Row(
        "verdict on traces of mazes 30x30",
        "verify_plain_python",
        "one core, strict verdict on valid traces; ours from tokens, all levels",
        f"{COUNT:,} / {COUNT // 40}",
        "verify_ours",
    ),
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


def maze_dataset() -> float:
    """Problems per second: a spanning tree of 15x15 rooms (30x30 cells with walls), and its solution."""
    from maze_dataset import MazeDataset, MazeDatasetConfig
    from maze_dataset.generation import LatticeMazeGenerators

    wilson = LatticeMazeGenerators.gen_wilson
    settings = MazeDatasetConfig(name="speed", grid_n=SIDE // 2, n_mazes=SOLVED, maze_ctor=wilson)
    began = time.perf_counter()
    assert len(MazeDataset.generate(settings, gen_parallel=False)) == SOLVED
    return SOLVED / (time.perf_counter() - began)


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
    report("generation", "problems/s", in_turn(__file__, GENERATE, options), ROWS, options)
    report("verification", "traces/s", in_turn(__file__, VERIFY, options), ROWS_VERIFY, options)


if __name__ == "__main__":
    main()
