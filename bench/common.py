"""What the comparisons share: sides run in turn, each in its own process; medians; a table; a JSON file."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tracelab.run import machine

RESULTS = Path(__file__).parent / "results"
PEERS = ("transformers", "accelerate", "trl", "reasoning_gym")
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


def arguments(description: str, sides: Sequence[str], rounds: int = 3) -> argparse.Namespace:
    """Command-line options of a comparison; `--side` is what its own subprocesses are given."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--side", choices=sides, help="run one side and print its figure")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def in_turn(
    script: str, sides: Sequence[str], options: argparse.Namespace, tuned: Sequence[str] = ()
) -> dict[str, list[float]]:
    """Each side once, then each again, ...: a slow minute of the machine hits all. -> figures by side."""
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            command = [sys.executable, script, "--side", side, "--threads", str(options.threads)]
            environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
            environment |= KEEP_MEMORY if side in tuned else {}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{side} failed:\n{done.stderr[-3000:]}")
            figures[side].append(float(done.stdout.split()[-1]))
            print(f"{side:24s} {figures[side][-1]:12,.4g}", flush=True)
    return figures


def report(
    name: str, unit: str, figures: dict[str, list[float]], equal: str, options: argparse.Namespace
) -> None:
    """Print ours against each peer, and write everything to `bench/results/<name>.json`."""
    medians = {side: statistics.median(values) for side, values in figures.items()}
    ours = medians["ours"]
    print(f"\n{'peer':24s} {'ours':>12s} {'peer':>12s} {'ratio':>7s}   ({unit}, median of {options.rounds})")
    for side, value in medians.items():
        if not side.startswith("ours"):
            print(f"{side:24s} {ours:12,.4g} {value:12,.4g} {ours / value:7.2f}")
    for side in medians.keys() - {"ours"}:
        if side.startswith("ours"):
            print(f"{side:24s} {medians[side]:12,.4g}")
    print(f"\nEqual on all sides: {equal}")
    RESULTS.mkdir(exist_ok=True)
    result = {"unit": unit, "medians": medians, "runs": figures, "equal": equal, "threads": options.threads}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result | {"machine": machine(), "peers": peers()}, indent=2) + "\n")
    print(f"Written: {path}")


def peers() -> dict[str, str]:
    """Versions of the peers that are installed."""
    found = {}
    for package in PEERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
