"""What a report is about: the runs that are compared, and what was left out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis.loading import levels_of, load, runs, splits_of
from tracelab.core.types import Task
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run

BASE = "solution_only"
PAGES = (".html", ".htm")
STRICT = "strict"  # the level of validity that is reported
SOLUTION, TRACE = "solution_valid", f"trace_{STRICT}"
WORDS = {SOLUTION: "solution valid", TRACE: f"trace valid ({STRICT})"}


@dataclass(frozen=True)
class Study:
    """Finished runs of one task that were judged on the same problems.

    runs: as of `analysis.runs`; table: their outcomes; skipped: why what was left out was; base: the arm that
    others are compared with, or None for all pairs; out: the page.
    """

    runs: pl.DataFrame
    table: pl.LazyFrame
    skipped: tuple[str, ...]
    base: str | None
    out: Path

    @property
    def arms(self) -> list[str]:
        """Arms, in the order of the tables."""
        return sorted(set(self.runs["arm"]))

    @property
    def splits(self) -> list[str]:
        """Test sets, the one in distribution first."""
        return splits_of(self.table)

    @property
    def levels(self) -> list[str]:
        """Levels of trace validity, weak to strong."""
        return levels_of(self.table)

    @property
    def data(self) -> Path:
        """The folder beside the page: `study_data` of study.html."""
        name = self.out.stem if self.out.suffix in PAGES else self.out.name
        return self.out.with_name(f"{name}_data")

    def in_order(self, frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Rows of a frame with a column `split`, test sets in their order."""
        for split in self.splits:
            yield from frame.filter(split=split).iter_rows(named=True)

    def name(self, run: str) -> str:
        """A run's folder from below what all runs lie in."""
        return os.path.relpath(run, os.path.commonpath([Path(folder).parent for folder in self.runs["run"]]))

    def first(self) -> Run:
        """Any run: task and test problems are the same in all."""
        return Run.open(self.runs["run"][0])

    def task(self) -> Task:
        """The task of all runs."""
        return build_task(self.first().settings.task)


def study_of(folders: Sequence[Path], out: Path, base: str | None = None) -> Study:
    """The finished runs at or below the folders. ValueError if there are none, or of several tasks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = runs(*folders)
    skipped = tuple(str(warning.message) for warning in caught)
    arms = set(found["arm"])
    if base is not None and base not in arms:
        raise ValueError(f"--base {base} is no arm; there are {', '.join(sorted(arms))}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said above
        table = load(*folders)
    return Study(found, table, skipped, base or (BASE if BASE in arms else None), out)
