"""What the comparisons share: sides run in turn, each in its own process; medians; a table; a JSON file."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from models import best

from tracelab.runs.machine import machine

RESULTS = Path(__file__).parent / "results"
DOCS = RESULTS.parents[1] / "docs"
PEERS = ("transformers", "accelerate", "trl", "reasoning_gym", "maze_dataset")
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
FOLDER = "folder of the JSON; where parts are left out, none is written but in a folder that is named"
START, END = "<!-- tables -->", "<!-- end of tables -->"


@dataclass(frozen=True)
class Row:
    """One of ours against one peer. equal: between the two; n: what a round is made of; sides by name."""

    what: str
    peer: str
    equal: str
    n: str
    ours: str = "ours"


def arguments(description: str, sides: Sequence[str], rounds: int = 3) -> argparse.Namespace:
    """Command-line options of a comparison; `--side` is what its own subprocesses are given."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--side", choices=sides, help="run one side and print its figure")
    parser.add_argument("--sides", nargs="+", default=sides, choices=sides, help="run these; all by default")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, help=FOLDER)
    options = parser.parse_args()
    options.results = kept_in(options.results, options.sides, sides)
    return options


def kept_in(named: Path | None, some: Collection[str], every: Collection[str]) -> Path | None:
    """The folder of results: the one that was named, or that of the records. None where parts are left out.

    A record is of all its parts, measured in turn: some of them alone would take its place.
    """
    return named or (RESULTS if set(every) <= set(some) else None)


def in_turn(
    script: str, sides: Sequence[str], options: argparse.Namespace, tuned: Sequence[str] = ()
) -> dict[str, list[float]]:
    """Each side once, then each again, ...: a slow minute of the machine hits all. -> figures by side."""
    figures: dict[str, list[float]] = {side: [] for side in sides if side in options.sides}
    for _ in range(options.rounds):
        for side in figures:
            environment = {"OMP_NUM_THREADS": str(options.threads)}
            environment |= KEEP_MEMORY if side in tuned else {}
            figures[side].append(float(own_process(script, environment, side=side, threads=options.threads)))
            print(f"{side:24s} {figures[side][-1]:12,.4g}", flush=True)
    return figures


def own_process(script: str, environment: dict[str, str], **options: Any) -> str:
    """The last line that a script prints, run with these options. RuntimeError if it fails."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, script, *words]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip().splitlines()[-1]


def report(
    name: str,
    unit: str,
    figures: dict[str, list[float]],
    rows: Sequence[Row],
    options: argparse.Namespace,
    **more: Any,
) -> None:
    """Print ours against each peer, and write everything to `<results>/<name>.json`."""
    medians = {side: statistics.median(values) for side, values in figures.items()}
    measured = [row for row in rows if {row.ours, row.peer} <= medians.keys()]
    compared = [
        {
            **asdict(row),
            "unit": unit,
            "ours_median": medians[row.ours],
            "peer_median": medians[row.peer],
            "ratio": medians[row.ours] / medians[row.peer],
            "rounds": len(figures[row.ours]),
        }
        for row in measured
    ]
    print("", *table(compared), "", sep="\n")
    content = {"unit": unit, "rows": compared, "medians": medians, "runs": figures, **more}
    keep(options.results, name, content | {"threads": options.threads})


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lines of text: a row per comparison."""
    heads = ("what", "ours", "peer", "ratio", "n x rounds", "peer is; equal on both sides")
    cells = [heads, *(cells_of(row) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(heads))]
    aligned = ("<", ">", ">", ">", "<", "<")
    return [
        "  ".join(f"{text:{side}{width}}" for text, side, width in zip(row, aligned, widths, strict=True))
        for row in cells
    ]


def cells_of(row: dict[str, Any]) -> tuple[str, ...]:
    """A row of a table, as text."""
    ours, peer = (f"{row[side]:,.3g}" if row[side] < 100 else f"{row[side]:,.0f}" for side in MEDIANS)
    named = f"{row['peer'].partition(':')[2] or row['peer']}; {row['equal']}"
    what = f"{row['what']}, {row['unit']}"
    return what, ours, peer, f"{row['ratio']:.2f}", f"{row['n']} x {row['rounds']}", named


MEDIANS = ("ours_median", "peer_median")


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table for a page."""
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)] + [""]


def between_marks(page: Path, lines: Sequence[str], title: str) -> None:
    """Put lines between a page's two marks; what is written by hand around them stays."""
    written = page.read_text(encoding="utf-8") if page.is_file() else f"# {title}\n\n"
    before, _, rest = written.partition(START)
    after = rest.partition(END)[2] or "\n"
    page.write_text("\n".join([before + START, "", *lines, END]) + after, encoding="utf-8")


def keep(folder: Path | None, name: str, content: dict[str, Any]) -> None:
    """Results as `<folder>/<name>.json`, if they have a folder."""
    if folder is None:
        print("Not written, for parts are left out; --results FOLDER writes it there")
    else:
        write_json(folder / f"{name}.json", content)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Results with the hardware, the versions and the day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"machine": machine(), "precision": best().as_dict(), "peers": peers()}
    path.write_text(
        json.dumps(content | made | {"date": date.today().isoformat()}, indent=1) + "\n", encoding="utf-8"
    )
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
