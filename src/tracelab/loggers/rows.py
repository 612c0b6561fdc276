"""metrics.csv, which every run writes and a resume goes on with."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from tracelab.core.files import UTF8, whole, whole_lines


class CSV(Logger):
    """One row per logged step in `path`. A resumed run keeps the rows from before its checkpoint, and no row
    that a kill has torn.

    Columns that appear later are added to the file, which is rewritten beside its place and renamed.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []
        if self.path.is_file():
            self.rows = list(csv.DictReader(whole_lines(self.path)))
        self._fresh = False  # has this process written yet?

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """Not used: a run has one folder."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """config.yaml has them."""

    @rank_zero_only
    def go_on(self, last: int, step: int, metrics: dict[str, float]) -> None:
        """Go on from a checkpoint of the step `last`: later rows go, and that of `step` gets what it lacks.

        What it has is left: a validation of that step may have written it after the checkpoint.
        """
        rows = {int(row["step"]): row for row in self.rows if int(row["step"]) <= last}
        known = {name: value for name, value in rows.get(step, {}).items() if value not in ("", None)}
        rows[step] = {"step": step} | metrics | known
        self.rows = [rows[each] for each in sorted(rows)]
        self._fresh = True
        self._write(anew=True)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a row, or to the last row if it is of the same step."""
        if not self._fresh:
            self.rows = [row for row in self.rows if step is None or int(row["step"]) <= step]
        known = set().union(*(row.keys() for row in self.rows)) if self.rows else set()
        if self.rows and int(self.rows[-1]["step"]) == step:
            self.rows[-1] |= metrics
            anew = True
        else:
            self.rows.append({"step": step} | metrics)
            anew = not self._fresh or not known >= set(self.rows[-1])
        self._fresh = True
        self._write(anew)

    def _write(self, anew: bool) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        if not anew:
            with self.path.open("a", newline="", encoding=UTF8) as file:
                csv.DictWriter(file, columns).writerow(self.rows[-1])
            return
        with whole(self.path) as partial, partial.open("w", newline="", encoding=UTF8) as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
