"""The central experiment at the quickstart's size: four arms, three seeds, from scratch, with intervals.

    python bench/quickstart.py                    # about an hour on two cores
    python bench/quickstart.py --seeds 0 --only swapped

Each run is `python -m tracelab.train trace=ARM seed=SEED` with the defaults; finished ones are not run
again. Minutes are of training alone, without data, start-up and evaluation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from common import RESULTS

from tracelab.run import machine

ARMS = ("solution_only", "correct", "corrupted", "swapped")
SHOWN = ("solution_valid", "solution_optimal", "trace_local", "trace_strict", "phi")


def finished(folder: Path) -> bool:
    """Has this run been evaluated?"""
    record = folder / "run.json"
    return record.is_file() and json.loads(record.read_text())["status"] == "evaluated"


def run(arm: str, seed: int, threads: int, folder: Path) -> dict[str, Any]:
    """Train and judge one arm -> its figures on the in-distribution test set and out of it."""
    record = folder / "run.json"
    if not finished(folder):
        words = (f"trace={arm}", f"seed={seed}", f"threads={threads}", f"run_dir={folder}")
        subprocess.run([sys.executable, "-m", "tracelab.train", *words], check=True)
    progress = json.loads(record.read_text())["progress"]
    sets = json.loads((folder / "metrics.json").read_text())["test sets"]
    estimates = {name: {metric: values[metric] for metric in SHOWN} for name, values in sets.items()}
    threads = yaml.safe_load((folder / "config.yaml").read_text())["threads"]
    return {"arm": arm, "seed": seed, "threads": threads, "progress": progress, "test_sets": estimates}


def summary(results: list[dict[str, Any]]) -> list[str]:
    """A line per arm: medians over seeds, the seeds in brackets."""
    heads = ("solution valid (seeds)", "trace strictly valid (seeds)")
    lines = [f"{'arm':14s} {'minutes':>8s} {'tokens/s':>9s}  {heads[0]:29s} {heads[1]}"]
    for arm in ARMS:
        mine = [r for r in results if r["arm"] == arm]
        if not mine:
            continue
        minutes = statistics.median(r["progress"]["minutes"] for r in mine)
        speed = statistics.median(r["progress"]["tokens"] / r["progress"]["minutes"] / 60 for r in mine)
        cells = []
        for metric in ("solution_valid", "trace_strict"):
            values = [r["test_sets"]["wilson"][metric]["value"] for r in mine]
            cells.append(f"{statistics.median(values):.3f} ({', '.join(f'{v:.3f}' for v in values)})")
        lines.append(f"{arm:14s} {minutes:8.2f} {speed:9,.0f}  {cells[0]:29s} {cells[1]}")
    return lines


def main() -> None:
    """Run what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=ARMS, nargs="+", default=ARMS)
    parser.add_argument("--folder", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--collect", action="store_true", help="report what is finished, run nothing")
    options = parser.parse_args()
    results = [
        run(arm, seed, options.threads, options.folder / f"{arm}-{seed}")
        for seed in options.seeds
        for arm in ARMS
        if arm in options.only and (not options.collect or finished(options.folder / f"{arm}-{seed}"))
    ]
    print("\n".join(summary(results)))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "quickstart.json"
    content = {"runs": results, "machine": machine()}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
