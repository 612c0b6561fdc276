"""The central experiment at the quickstart's size: four arms, ten seeds, from scratch, with intervals.

    python bench/quickstart.py                              # hours on two cores; goes on where it was
    python bench/quickstart.py --jobs 2 --threads 1         # two runs at a time, which is faster
    python bench/quickstart.py --seeds 0 1 2 --experiment earlier_maze --folder runs/earlier --name quickstart
    python bench/quickstart.py --jobs 16 --threads 1 --words trainer=gpu compile=false  # together on a GPU

Each run is `python -m tracelab.train trace=ARM seed=SEED` with the defaults; finished ones are not run again.
Minutes are of training alone, without data, start-up and evaluation. Time to quality: tokens and minutes
until a run first completes SOLUTIONS of its held-out problems with a valid solution and, of `correct`, TRACES
with a strictly valid trace. Writes bench/results/<name>.json and docs/results/<name>.png with every seed's
curve.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import polars as pl
import yaml
from common import DOCS, RESULTS, write_json

from tracelab import analysis
from tracelab.analysis.learning_figures import learning

ARMS = ("solution_only", "correct", "corrupted", "swapped")
SOLUTIONS, TRACES = 0.95, 0.85
DRAWN = ("solution_valid", "trace_strict")
SHOWN = ("solution_valid", "solution_optimal", "trace_local", "trace_strict", "phi")


def finished(folder: Path) -> bool:
    """Has this run been evaluated?"""
    record = folder / "run.json"
    return record.is_file() and json.loads(record.read_text(encoding="utf-8"))["status"] == "evaluated"


def run(arm: str, seed: int, threads: int, folder: Path, more: list[str]) -> dict[str, Any]:
    """Train and judge one arm -> its figures on the in-distribution test set and out of it.

    more: words of the command.
    """
    record = folder / "run.json"
    if not finished(folder):
        words = [f"trace={arm}", f"seed={seed}", f"threads={threads}", f"run_dir={folder}"]
        subprocess.run([sys.executable, "-m", "tracelab.train", *words, *more], check=True)
    progress = json.loads(record.read_text(encoding="utf-8"))["progress"]
    sets = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test sets"]
    estimates = {name: {metric: values[metric] for metric in SHOWN} for name, values in sets.items()}
    threads = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["threads"]
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


def times(folders: list[Path], name: str) -> list[dict[str, Any]]:
    """Time to quality of each run, a row per run; draws all curves. [] if no run has any."""
    try:
        curves = analysis.learning_curves(*folders)
    except ValueError as error:
        print(error)
        return []
    learning(DOCS / "results" / name, curves.filter(pl.col("metric").is_in(DRAWN)))
    found = []
    for arm, part in curves.group_by("arm", maintain_order=True):
        least = {"solution_valid": SOLUTIONS} | ({"trace_strict": TRACES} if arm == ("correct",) else {})
        found += analysis.time_to_quality(part, **least).drop("run").to_dicts()
    return found


def main() -> None:
    """Run what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--experiment", help="other than the default one")
    parser.add_argument(
        "--words", nargs="+", default=[], help="more of the command: trainer=gpu compile=false"
    )
    parser.add_argument("--name", default="seeds", help="of the results")
    parser.add_argument("--only", choices=ARMS, nargs="+", default=ARMS)
    parser.add_argument("--folder", type=Path, default=Path("runs/seeds"))
    parser.add_argument("--collect", action="store_true", help="report what is finished, run nothing")
    options = parser.parse_args()
    words = [*([f"experiment={options.experiment}"] if options.experiment else []), *options.words]
    wanted = [
        (arm, seed, options.threads, options.folder / f"{arm}-{seed}", words)
        for seed in options.seeds
        for arm in ARMS
        if arm in options.only and (not options.collect or finished(options.folder / f"{arm}-{seed}"))
    ]
    results = joblib.Parallel(options.jobs, "threading")(joblib.delayed(run)(*each) for each in wanted)
    print("\n".join(summary(results)))
    quality = times([folder for *_, folder, _ in wanted], options.name)
    for row in quality:
        print(f"{row['arm']:14s} seed {row['seed']}  good enough after {row['tokens'] or 'more'} tokens")
    least = {"solution_valid": SOLUTIONS, "trace_strict, of correct": TRACES}
    content = {"runs": results, "time to quality": {"least": least, "runs": quality}}
    write_json(RESULTS / f"{options.name}.json", content)


if __name__ == "__main__":
    main()
