"""What GRPO does to models trained on correct and on swapped traces: accuracy, validity, pass@k; three seeds.

    python bench/grpo.py                        # starts, then 15 minutes of post-training each
    python bench/grpo.py --only swapped --seeds 0
    python bench/grpo.py --reward trace         # the control: is validity learned when it is rewarded?
    python bench/grpo.py --collect              # only write the table and the figure

The starts are maze models stopped where they solve half to three quarters of the problems; how many tokens
that takes differs by seed. Writes docs/results/grpo.md, its figure and bench/results/grpo.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from common import RESULTS
from numpy.typing import NDArray

from tracelab.analysis.variance import spread
from tracelab.plots import BLUE, RED, figure, write_csv
from tracelab.runs.machine import machine

DOCS = RESULTS.parents[1] / "docs" / "results"
STARTS = {  # (treatment, seed) -> training tokens
    ("correct", 0): 2_400_000,
    ("correct", 1): 10_000_000,
    ("correct", 2): 3_500_000,
    ("swapped", 0): 2_000_000,
    ("swapped", 1): 2_500_000,
    ("swapped", 2): 2_000_000,
}
MINUTES = 15
SHOWN = ("solution_valid", "solution_optimal", "trace_local", "trace_strict", "completion_tokens")


def run(words: list[str], folder: Path) -> None:
    """Run a command of ours, unless its folder is finished."""
    record = folder / "run.json"
    if record.is_file() and json.loads(record.read_text(encoding="utf-8"))["status"] == "evaluated":
        return
    subprocess.run([sys.executable, "-m", *words, f"run_dir={folder}"], check=True)


def outcomes(folder: Path) -> pl.DataFrame:
    """Outcomes on the test set in distribution, in the problems' order."""
    table = pl.read_parquet(folder / "outcomes.parquet", columns=["split", "index", *SHOWN], glob=False)
    return table.filter(pl.col("split") == table["split"][0]).sort("index")


def change(before: list[pl.DataFrame], after: list[pl.DataFrame], column: str) -> dict[str, float]:
    """A mean before and after, and their difference with an interval over problems and seeds."""
    old, new = (
        np.stack([table[column].to_numpy().astype(float) for table in tables]) for tables in (before, after)
    )
    found = spread([new - old], [1])
    low, high = found.interval()
    return {
        "before": float(old.mean()),
        "after": float(new.mean()),
        "difference": found.value,
        "low": low,
        "high": high,
        "by_seed": [_of_seed(row) for row in new - old],
        "n": old.shape[1],
        "seeds": len(old),
    }


def _of_seed(changes: NDArray[np.float64]) -> tuple[float, float, float]:
    """The mean change of one model, with an interval for other problems."""
    found = spread([changes[None]], [1])
    return (found.value, *found.interval())


def passes(folder: Path) -> dict[str, dict[str, float]]:
    """pass@k before and after."""
    return {
        when: {
            name.removeprefix("pass@"): figures["value"]
            for name, figures in json.loads(
                (folder / f"passes_{when}.json").read_text(encoding="utf-8")
            ).items()
            if name.startswith("pass@")
        }
        for when in ("before", "after")
    }


def curve(folder: Path) -> list[dict[str, float]]:
    """Held-out accuracy and validity by minutes of rollouts and updates."""
    rows, minutes, points = [], 0.0, []
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        minutes += sum(float(row[f"{part}/seconds"] or 0) for part in ("rollout", "update")) / 60
        if row["val/solution_valid"]:
            values = {name: float(row[f"val/{name}"]) for name in ("solution_valid", "trace_strict")}
            points.append({"step": float(row["step"]), "minutes": minutes, **values})
    return points


def draw(curves: dict[str, list[list[dict[str, float]]]], reward: str) -> None:
    """Each seed a line: accuracy and validity against minutes."""
    names, data = list(curves), []
    with figure(DOCS / f"grpo_{reward}", 3.4 * len(names), 2.9, columns=len(names)) as (_, axes):
        for ax, name in zip(np.atleast_1d(axes), names, strict=True):
            for k, points in enumerate(curves[name]):
                minutes = [point["minutes"] for point in points]
                for column, colour, label in (
                    ("solution_valid", BLUE, "solution valid"),
                    ("trace_strict", RED, "trace strictly valid"),
                ):
                    values = [point[column] for point in points]
                    ax.plot(minutes, values, "o-", color=colour, ms=3, lw=1, label=None if k else label)
                    data += [(name, k, column, *pair) for pair in zip(minutes, values, strict=True)]
            ax.set(xlabel="minutes of rollouts and updates", ylim=(-0.02, 1.02))
            ax.set_title(f"trained on {name} traces, reward: {reward}", loc="left", fontsize=8)
        np.atleast_1d(axes)[0].set_ylabel("share of held-out problems")
        np.atleast_1d(axes)[0].legend(fontsize=7)
    write_csv(DOCS / f"grpo_{reward}", ("start", "seed", "figure", "minutes", "value"), data)


def collect(folder: Path, reward: str) -> dict[str, Any]:
    """All finished runs of one reward."""
    results: dict[str, Any] = {}
    curves: dict[str, list[list[dict[str, float]]]] = {}
    for treatment in dict.fromkeys(name for name, _ in STARTS):
        pairs = [
            (folder / "starts" / f"{treatment}-{seed}", folder / reward / f"{treatment}-{seed}")
            for name, seed in STARTS
            if name == treatment
        ]
        done = [(old, new) for old, new in pairs if (new / "passes_after.json").is_file()]
        if not done:
            continue
        before, after = ([outcomes(pair[k]) for pair in done] for k in (0, 1))
        records = [json.loads((new / "run.json").read_text(encoding="utf-8")) for _, new in done]
        results[treatment] = {
            "changes": {column: change(before, after, column) for column in SHOWN},
            "passes": {new.name: passes(new) for _, new in done},
            "progress": [record["progress"] for record in records],
        }
        curves[treatment] = [curve(new) for _, new in done]
    if curves:
        draw(curves, reward)
    return results


def lines(results: dict[str, Any], reward: str) -> list[str]:
    """Markdown: a row per start and figure."""
    head = ["| start | figure | before | after | difference [95 %] | by seed |", "|---|---|---|---|---|---|"]
    for treatment, found in results.items():
        for column, c in found["changes"].items():
            scale, digits = (1, 1) if column == "completion_tokens" else (100, 1)
            b, a, d, low, high = (scale * c[k] for k in ("before", "after", "difference", "low", "high"))
            seeds = ", ".join(
                f"{scale * v:+.{digits}f} [{scale * x:+.0f}, {scale * y:+.0f}]" for v, x, y in c["by_seed"]
            )
            name = column.replace("_", " ")
            head.append(
                f"| {treatment} | {name} | {b:.1f} | {a:.1f} | {d:+.1f} [{low:+.1f}, {high:+.1f}] | {seeds} |"
            )
    for treatment, found in results.items():
        largest = max((int(k) for p in found["passes"].values() for k in p["before"]), default=1)
        for k in (1, largest):
            means = [np.mean([p[w][str(k)] for p in found["passes"].values()]) for w in ("before", "after")]
            head.append(
                f"| {treatment} | pass@{k}, temperature 1 | {100 * means[0]:.1f} | {100 * means[1]:.1f} | "
                f"{100 * (means[1] - means[0]):+.1f} | |"
            )
    rounds = [p["steps"] for found in results.values() for p in found["progress"]]
    span = min(rounds), max(rounds)
    return [
        f"Reward: {reward}. {MINUTES} minutes on one core, {' to '.join(map(str, sorted({*span})))} rounds.",
        "",
        *head,
    ]


def starts() -> str:
    """How long each start was trained."""
    told = []
    for treatment in dict.fromkeys(name for name, _ in STARTS):
        tokens = [f"{amount / 1e6:g}" for (name, _), amount in STARTS.items() if name == treatment]
        told.append(f"after {', '.join(tokens)} M tokens (`{treatment}`, by seed)")
    return " and ".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=["correct", "swapped"], choices=["correct", "swapped"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--reward", default="solution", choices=["solution", "trace"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/grpo"))
    parser.add_argument("--collect", action="store_true", help="run nothing")
    options = parser.parse_args()
    for treatment, seed in () if options.collect else STARTS:
        if treatment in options.only and seed in options.seeds:
            start = options.folder / "starts" / f"{treatment}-{seed}"
            threads = f"threads={options.threads}"
            tokens = STARTS[treatment, seed]
            arm = [f"trace={treatment}", f"seed={seed}", f"budget.tokens={tokens}", "experiment=earlier_maze"]
            run(["tracelab.train", *arm, threads], start)
            run(
                [
                    "tracelab.posttrain",
                    f"run={start}",
                    "algorithm=grpo",
                    f"reward={options.reward}",
                    f"seed={seed}",
                    f"budget.minutes={MINUTES}",
                    threads,
                    "passes.problems=64",
                ],
                options.folder / options.reward / f"{treatment}-{seed}",
            )
    write(options.folder)


def write(folder: Path) -> None:
    """The tables for people, the figures for machines."""
    results = {reward: found for reward in ("solution", "trace") if (found := collect(folder, reward))}
    text = [HEAD.format(starts=starts())]
    for reward, found in results.items():
        text += [
            *lines(found, reward),
            "",
            f"![Accuracy and validity against minutes](grpo_{reward}.png)",
            "",
        ]
    (DOCS / "grpo.md").write_text("\n".join(text), encoding="utf-8")
    content = {"starts": {f"{k[0]}-{k[1]}": v for k, v in STARTS.items()}, "results": results}
    (RESULTS / "grpo.json").write_text(
        json.dumps(content | {"machine": machine()}, indent=1) + "\n", encoding="utf-8"
    )
    print("\n".join(text))


HEAD = """# GRPO on models that solve half to three quarters of the problems

7x7 Wilson mazes, 0.83 M parameters. Before and after post-training, on the same 256 test problems, greedy;
per cent (completion tokens: tokens). The interval of a difference is for other problems and other seeds
(Student's t); a seed's own, and that of a single seed, is for other problems. `python bench/grpo.py`, with
the earlier defaults (`experiment=earlier_maze`). A start is stopped where it solves half to three quarters:
{starts}.
So starts of two kinds differ in training, too, and are not compared with each other.
"""


if __name__ == "__main__":
    main()
