"""The command line of the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tracelab.core.full_disk import disk_full
from tracelab.core.terminal import endure, interruptible
from tracelab.runs.signals import as_ctrl_c


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report, say where it is."""
    endure()
    parser = argparse.ArgumentParser(
        prog="python -m tracelab.report",
        description="One HTML page about finished runs that needs no network; figures and tables beside it.",
        epilog="example: python -m tracelab.report runs/study --out study.html",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of runs, or folders of such folders")
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the page (%(default)s)")
    parser.add_argument("--base", help="the arm that others are compared with (solution_only, if present)")
    parser.add_argument(
        "--examples",
        type=int,
        default=40,
        help="outcomes of a kind, per run and test set, that the viewer holds at most (%(default)s)",
    )
    parser.add_argument(
        "--only",
        type=lambda text: [name.strip() for name in text.split(",")],
        metavar="SECTION,...",
        help="a page of these sections alone, such as learning,findings; a wrong name lists them",
    )
    options = parser.parse_args(arguments)
    if options.examples < 0:
        parser.error("--examples must be 0 or more")

    with interruptible("No report was written; an earlier one is as it was."), as_ctrl_c():
        from tracelab.report.study import study_of
        from tracelab.report.writing import chosen, write

        try:
            wanted = chosen(options.only)
            write(study_of(options.folders, options.out, options.base), options.examples, wanted)
        except (ValueError, OSError) as error:
            sys.exit(f"error: {disk_full(error, options.out) or error}")
    print(options.out)
