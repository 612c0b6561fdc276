"""Ten million outcomes: how long they take to load and group, and how much memory, as their number grows.

    python bench/analysis.py runs/quickstart
    python bench/analysis.py runs/quickstart --outcomes 100000 --rounds 1

Makes sweeps of 250 runs whose outcomes are a real run's, repeated under new problem keys, in a temporary
folder. Each side runs in its own process: ours answers `rates` of two verdicts and `joint` from the files; so
does pandas, with the columns that it needs and without intervals. Writes bench/results/analysis.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from common import RESULTS

from tracelab.runs.machine import machine

RUNS = 250
ARMS = ("correct", "swapped", "corrupted", "solution_only", "filler")
SIDES = ("ours", "pandas")
COPIED = ("run.json", "data_card.json", "vocab.json")


def make(source: Path, folder: Path, outcomes: int) -> None:
    """A sweep of RUNS runs with so many outcomes in all."""
    real = pl.read_parquet(source / "outcomes.parquet", glob=False)
    each = outcomes // RUNS
    config = yaml.safe_load((source / "config.yaml").read_text(encoding="utf-8"))
    times = -(-each // len(real))
    copies = np.repeat(np.arange(times, dtype=np.uint64), len(real))[:each]
    table = pl.concat([real] * times).head(each)
    table = table.with_columns(
        (pl.col("problem_key") + pl.Series(copies)).alias("problem_key"),
        (pl.col("index") + pl.Series(copies.astype(np.int64) * len(real))).alias("index"),
    )
    for k in range(RUNS):
        run = folder / f"run-{k}"
        run.mkdir()
        for name in COPIED:
            shutil.copy(source / name, run / name)
        config |= {"seed": k // len(ARMS), "names": config["names"] | {"trace": ARMS[k % len(ARMS)]}}
        (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        if k == 0:
            table.write_parquet(run / "outcomes.parquet", compression="zstd")
        else:
            shutil.copy(folder / "run-0" / "outcomes.parquet", run / "outcomes.parquet")


def ours(folder: Path) -> int:
    """-> outcomes."""
    from tracelab import analysis
    from tracelab.analysis.joint import joint

    table = analysis.load(folder)
    for column in ("solution_valid", "trace_strict"):
        found = analysis.rates(table, column, by=["arm", "split"])
    assert joint(table)["n"].sum() == found["n"].sum()
    return int(found["n"].sum())


def pandas(folder: Path) -> int:
    """The same shares and counts -> outcomes."""
    import pandas as pd

    frames = []
    for path in sorted(folder.glob("*/outcomes.parquet")):
        frame = pd.read_parquet(path, columns=["split", "solution_valid", "trace_strict"])
        arm = yaml.safe_load((path.parent / "config.yaml").read_text(encoding="utf-8"))["names"]["trace"]
        frames.append(frame.assign(arm=arm))
    table = pd.concat(frames)
    table.groupby(["arm", "split"])[["solution_valid", "trace_strict"]].mean()
    return int(table.groupby(["arm", "split", "solution_valid", "trace_strict"]).size().sum())


def measure(side: str, folder: Path) -> dict[str, float]:
    """Seconds that a side takes in this process, and its largest memory in GiB."""
    began = time.perf_counter()
    n = {"ours": ours, "pandas": pandas}[side](folder)
    seconds = time.perf_counter() - began
    return {
        "outcomes": n,
        "seconds": seconds,
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="a finished run's folder")
    parser.add_argument("--outcomes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help="measure one side on the sweep `source`, print JSON")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.source)))
        return
    rows = []
    for outcomes in options.outcomes:
        with tempfile.TemporaryDirectory() as folder:
            make(options.source, Path(folder), outcomes)
            rows += compare(Path(folder), options.rounds)
    content = {"runs": RUNS, "rounds": options.rounds, "results": rows, "machine": machine()}
    (RESULTS / "analysis.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def compare(folder: Path, rounds: int) -> list[dict[str, float | str]]:
    """Both sides in turn -> medians."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            command = [sys.executable, __file__, str(folder), "--side", side]
            found[side].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    rows = []
    for side, results in found.items():
        median = {name: statistics.median(r[name] for r in results) for name in results[0]}
        print(
            "{:8s} {outcomes:12,.0f} outcomes {seconds:8.2f} s {gib:6.2f} GiB".format(side, **median),
            flush=True,
        )
        rows.append({"side": side, **median})
    return rows


if __name__ == "__main__":
    main()
