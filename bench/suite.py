"""Every comparison with what one would use instead, on a CPU, in under a quarter of an hour; one table.

    python bench/suite.py                 # `make bench`
    python bench/suite.py --rounds 1 --only sampling

Runs the scripts below at fewer sides and rounds than they take alone, and prints their rows together. Writes
bench/results/suite.json; the scripts' own results stay as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import FOLDER, keep, kept_in, table

from tasks import GYM

SCRIPTS: dict[str, tuple[str, ...]] = {  # script -> sides; compiled ones take a minute each: not here
    "generation": (),
    "tasks": tuple(f"{task}:{side}" for task in GYM for side in ("same", "gym")),
    "training": ("ours", "hf_grouped", "hf_tuned", "plain_loop", "ours_adamw"),
    "sampling": ("ours", "hf_sdpa_256", "hf_eager_256"),
    "posttraining": ("ours", "trl"),
}
ORDER = ("generation", "verification", "tasks", "training", "sampling", "posttraining")


def run(script: str, rounds: int, folder: Path) -> float:
    """One comparison, its JSON in the folder -> seconds."""
    sides = SCRIPTS[script]
    command = [sys.executable, str(Path(__file__).with_name(f"{script}.py")), "--rounds", str(rounds)]
    command += ["--results", str(folder), *(("--sides", *sides) if sides else ())]
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began


def together(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Rows of all comparisons, and each side's rounds."""
    rows = [{**row, "threads": result["threads"]} for result in results.values() for row in result["rows"]]
    return {"rows": rows, "runs": {name: result["runs"] for name, result in results.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(SCRIPTS), choices=SCRIPTS)
    parser.add_argument("--results", type=Path, help=FOLDER)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = {script: round(run(script, options.rounds, Path(folder))) for script in options.only}
        found = {name: Path(folder) / f"{name}.json" for name in ORDER}
        results: dict[str, dict[str, Any]] = {
            name: json.loads(path.read_text(encoding="utf-8"))
            for name, path in found.items()
            if path.is_file()
        }
    content = together(results) | {"seconds": seconds, "rounds": options.rounds}
    keep(kept_in(options.results, options.only, SCRIPTS), "suite", content)
    print(f"In {sum(seconds.values()) / 60:.1f} minutes; medians of {options.rounds} rounds in turn:", "")
    print(*table(content["rows"]), sep="\n")


if __name__ == "__main__":
    main()
