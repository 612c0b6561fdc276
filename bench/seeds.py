"""The central comparison: four arms on 7x7 mazes from scratch, every seed with its intervals.

    python -m tracelab.train -m experiment=study/maze hydra/launcher=joblib hydra.launcher.n_jobs=2 threads=1
    python bench/seeds.py runs/study/maze
    python bench/seeds.py runs/earlier --name quickstart

Minutes are of training alone, without data, start-up and evaluation. Time to quality: tokens and minutes
until a run first completes SOLUTIONS of its held-out problems with a valid solution and, of `correct`, TRACES
with a strictly valid trace. Writes bench/results/<name>.json and docs/results/<name>.png with every seed's
curve.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from common import DOCS, RESULTS, write_json

from tracelab import analysis
from tracelab.analysis.cells import TaskOutcomes
from tracelab.analysis.learning_figures import learning
from tracelab.core.files import read_json

# Treatments with the knobs that make them the arm that is meant: a sweep may have others.
ARMS: dict[str, dict[str, object]] = {
    "solution_only": {},
    "correct": {},
    "corrupted": {"rate": 1.0},
    "swapped": {"match": "none"},
}
SOLUTIONS, TRACES = 0.95, 0.85
DRAWN = ("solution_valid", "trace_strict")
SHOWN = ("solution_valid", "solution_optimal", "trace_local", "trace_strict", "phi")


def figures_of(folder: Path, arm: str, seed: int) -> dict[str, Any]:
    """A run's figures on the in-distribution test set and out of it, and what it took."""
    sets = read_json(folder / "metrics.json")["test sets"]
    estimates = {name: {metric: values[metric] for metric in SHOWN} for name, values in sets.items()}
    threads = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["threads"]
    progress = read_json(folder / "run.json")["progress"]
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


def times(runs: pl.DataFrame, name: str) -> list[dict[str, Any]]:
    """Time to quality of each run, a row per run; draws all curves. [] if no run has any."""
    folders = [Path(run) for run in runs["run"]]
    try:
        curves = analysis.learning_curves(*folders)
    except ValueError as error:
        print(error)
        return []
    learning(DOCS / "results" / name, curves.filter(pl.col("metric").is_in(DRAWN)))
    treatment = dict(runs.select("run", "treatment").iter_rows())
    found = []
    for (run,), part in curves.group_by("run", maintain_order=True):
        arm = treatment[run]
        least = {"solution_valid": SOLUTIONS} | ({"trace_strict": TRACES} if arm == "correct" else {})
        rows = analysis.time_to_quality(part, **least).drop("run").to_dicts()
        found += [row | {"arm": arm} for row in rows]
    return found


def main() -> None:
    """Read the finished runs, then print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, help="the sweep's folder")
    parser.add_argument("--name", default="seeds", help="of the results")
    options = parser.parse_args()
    outcomes = TaskOutcomes(analysis.load(options.runs))
    arms = [outcomes.arm(treatment, **knobs) for treatment, knobs in ARMS.items()]
    runs = analysis.runs(options.runs).filter(pl.col("arm").is_in([arm for arm in arms if arm]))
    rows = runs.select("run", "treatment", "seed").sort("treatment", "seed").iter_rows()
    results = [figures_of(Path(run), arm, seed) for run, arm, seed in rows]
    print("\n".join(summary(results)))
    quality = times(runs, options.name)
    for row in quality:
        print(f"{row['arm']:14s} seed {row['seed']}  good enough after {row['tokens'] or 'more'} tokens")
    least = {"solution_valid": SOLUTIONS, "trace_strict, of correct": TRACES}
    content = {"runs": results, "time to quality": {"least": least, "runs": quality}}
    write_json(RESULTS / f"{options.name}.json", content)


if __name__ == "__main__":
    main()
