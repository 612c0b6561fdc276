"""Figures of imposed traces, drawn anew from the tables beside them: no run is needed.

python bench/imposed.py docs/results/interventions.csv docs/results/three_seeds/interventions.csv
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import polars as pl

from tracelab.analysis import figures
from tracelab.plots import VARIABLE


def drawn(table: Path, folder: Path) -> Path:
    """The figure of a table, a PNG in a folder."""
    figures.imposed(folder / table.stem, pl.read_csv(table, infer_schema_length=None))
    return folder / f"{table.stem}.png"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, nargs="+")
    os.environ[VARIABLE] = "png"
    for table in parser.parse_args().tables:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(drawn(table, Path(folder)), table.with_suffix(".png"))


if __name__ == "__main__":
    main()
