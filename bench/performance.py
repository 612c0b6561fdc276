"""The tables of docs/performance.md, from bench/results; what they mean is written by hand around them.

make bench && python bench/growth.py && python bench/profiling.py && python bench/startup.py
python bench/performance.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import DOCS, RESULTS, between_marks, cells_of, markdown

from tracelab.core.paths import CONF

Result = dict[str, Any]
LEAST = "least–most"


def suite(result: Result) -> list[str]:
    """Every comparison."""
    heads = ["what", "ours", "peer", "ratio", "n × rounds", "threads", "peer; what is equal on both sides"]
    rows = [list(cells_of(row)) for row in result["rows"]]
    for cells, row in zip(rows, result["rows"], strict=True):
        cells.insert(5, str(row["threads"]))
    minutes = sum(result["seconds"].values()) / 60
    runs = {
        f"{name}: {side}": v for name, sides in result.get("runs", {}).items() for side, v in sides.items()
    }
    apart = [spread(runs)] if runs else []
    return [" ".join([f"Took {minutes:.1f} minutes.", *apart]), "", *markdown(heads, rows)]


def tasks(result: Result) -> list[str]:
    """Both speeds of every task."""
    names = sorted({side.partition(":")[0] for side in result["runs"]})
    rounds = [[result["runs"][f"{name}:{what}"] for what in ("generate", "verify")] for name in names]
    rows = [
        [name, *(cell for pair in sides for cell in median(pair))]
        for name, sides in zip(names, rounds, strict=True)
    ]
    heads = ["task, medium setting", "problems/s with trace and tokens", LEAST, "verdicts/s", LEAST]
    rest = sorted({path.stem for path in (CONF / "task").glob("*.yaml")}.difference(names))
    left = [f"Not measured: {', '.join(rest)}."] if rest else []
    return [" ".join([spread(result["runs"]), *left]), "", *markdown(heads, rows)]


def median(values: list[float]) -> tuple[str, str]:
    """The middle one of a side's rounds, and the ends, as text."""
    return f"{statistics.median(values):,.0f}", f"{min(values):,.0f}–{max(values):,.0f}"


def spread(runs: dict[str, list[float]]) -> str:
    """How far rounds of one side lie apart, in words."""
    apart = {side: 100 * (max(values) / min(values) - 1) for side, values in runs.items()}
    widest = max(apart, key=lambda side: apart[side])
    middle = statistics.median(apart.values())
    return (
        f"Rounds of one side lie apart: the most is {middle:.0f} % above the least "
        f"(median of {len(apart)} sides), {apart[widest]:.0f} % at most (`{widest}`)."
    )


def profiling(result: Result) -> list[str]:
    """Where a step's time goes, and the share of the machine's rate."""
    shares = [[name, f"{100 * share:.1f} %"] for name, share in result["shares"].items()]
    used = [
        [name, f"{result['machine_gflops'][name]:,.0f}", f"{100 * share:.1f} %"]
        for name, share in result["utilisation"].items()
    ]
    speed = "{tokens_per_second:,.0f} tokens/s of {flops_per_token:,.0f} FLOPs: {gflops:,.0f} GFLOP/s."
    return [
        *markdown(["a step's time goes to", "share"], shares),
        speed.format(**result),
        "",
        *markdown(["rate of", "GFLOP/s of this machine's products", "reached in training"], used),
    ]


def startup(result: Result) -> list[str]:
    """Seconds against their targets."""
    rows = [
        [name, f"{value:.2f}", f"{result['targets'][name]:g}"] for name, value in result["medians"].items()
    ]
    return [spread(result["runs"]), "", *markdown(["start", "seconds", "target"], rows)]


def growth(result: Result) -> list[str]:
    """The figure, and memory while streaming in numbers."""
    rows = [
        [f"{point['at']:,}", *(f"{point[name]:.2f}" for name in ("files_gib", "gib", "making_gib"))]
        for point in result["parts"]["streaming"]
    ]
    heads = ["problems (5×5 mazes)", "files, GiB", "most memory reading, GiB", "most memory making, GiB"]
    return ["![Growth of time and memory](results/growth.png)", "", *markdown(heads, rows)]


SECTIONS: dict[str, tuple[str, str, Callable[[Result], list[str]]]] = {  # file -> title, command, table
    "suite": ("Against what one would use instead", "make bench", suite),
    "tasks": ("Tasks on one core", "python bench/tasks.py", tasks),
    "profiling": ("Where a training step's time goes", "python bench/profiling.py", profiling),
    "startup": ("Starting", "python bench/startup.py", startup),
    "growth": ("Growth", "python bench/growth.py", growth),
}


def made(result: Result, command: str) -> str:
    """A line that says by which command, on which machine and when a result was made."""
    machine = result["machine"]
    versions = {name: machine["versions"][name] for name in ("torch", "numba")} | result["peers"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    hardware = "{cpu}, {cores} cores, {memory_gib} GiB".format(**machine)
    return f"`{command}`, {result['date']}; {hardware}; Python {machine['python']}, {named}."


def lines_of(folder: Path) -> list[str]:
    """The tables of the records in a folder."""
    lines = []
    for name, (title, command, tables) in SECTIONS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            lines += [f"## {title}", "", made(result, command), "", *tables(result)]
    return lines


def main() -> None:
    between_marks(DOCS / "performance.md", lines_of(RESULTS), "Performance")
    print(f"Written: {DOCS / 'performance.md'}")


if __name__ == "__main__":
    main()
