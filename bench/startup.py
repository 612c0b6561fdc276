"""Seconds until something happens: the help, an example, and the first step of training.

    python bench/startup.py            # three rounds in turn, about two minutes
    python -X importtime -m tracelab.train --help 2> imports.txt     # what takes long, if it does

help: `python -m tracelab.train --help`. show: an example of the slowest task, with an empty cache. cold: from
the command to the end of the first training step with an empty cache, so that numba compiles and 100,000
problems are drawn. warm: compiled before, drawn anew. again: both there, as for an experiment's second arm.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import RESULTS, write_json
from models import best

from tracelab.core.paths import CONF
from tracelab.models.precision import REDUCED

TARGETS = {"help": 2.0, "show": 6.0, "cold": 30.0, "warm": 6.0, "again": 6.0}  # seconds
COLD_REDUCED = 15.0  # where the processor has units for 16 bits
TRAIN = ("-m", "tracelab.train", "trainer=cpu", "budget.steps=1000")


def helped() -> float:
    """Seconds of `--help`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tracelab.train", "--help"], check=True, capture_output=True)
    return time.perf_counter() - began


def shown(task: str, folder: Path) -> float:
    """Seconds of showing an example of a task. folder: of the cache."""
    began = time.perf_counter()
    environment = {**os.environ, "TRACELAB_CACHE": str(folder)}
    command = [sys.executable, "-m", "tracelab.show", f"task={task}", "index=3"]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - began


def first_step(folder: Path) -> float:
    """Seconds until a training says that it has taken a step; it is stopped then. folder: of the cache."""
    began, heard = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as runs:
        process = subprocess.Popen(
            [sys.executable, *TRAIN, f"run_dir={runs}/run"],
            env={**os.environ, "TRACELAB_CACHE": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            heard.append(line)
            if "step 1 " in line:
                break
        seconds = time.perf_counter() - began
        process.kill()
        process.wait()
    if "step 1 " not in heard[-1]:
        raise RuntimeError("training took no step:\n" + "".join(heard)[-3000:])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON")
    options = parser.parse_args()
    runs: dict[str, list[float]] = {name: [] for name in TARGETS}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            runs["help"].append(helped())
            runs["show"].append(max(shown(path.stem, Path(folder)) for path in CONF.glob("task/*.yaml")))
            runs["cold"].append(first_step(Path(folder)))
            shutil.rmtree(Path(folder) / "data")
            runs["warm"].append(first_step(Path(folder)))
            runs["again"].append(first_step(Path(folder)))
    medians = {name: statistics.median(values) for name, values in runs.items()}
    targets = TARGETS | ({"cold": COLD_REDUCED} if best().products == REDUCED else {})
    for name, value in medians.items():
        print(f"{name:8s} {value:6.2f} s   target {targets[name]:g} s")
    write_json(options.results / "startup.json", {"medians": medians, "runs": runs, "targets": targets})


if __name__ == "__main__":
    main()
