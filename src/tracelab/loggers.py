"""Loggers: metrics.csv, which survives a resume, and Weights & Biases where it is asked for."""

from __future__ import annotations

import csv
import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from tracelab.core.files import UTF8, read_text, whole, whole_lines, write_text
from tracelab.core.settings import Weight

MODES = ("online", "offline", "disabled")


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


def wandb(
    project: str,
    folder: str,
    mode: Literal["online", "offline", "disabled"] | None = None,
    patience: Weight = 20.0,
) -> Logger:
    """A Weights & Biases logger: one W&B run for each run's folder, however often it is resumed.

    mode: online, offline or disabled; None: as WANDB_MODE says, else online where this machine has a key.
    patience: seconds that W&B has to answer; then it goes on offline, and says so.
    """
    from lightning.pytorch.loggers import WandbLogger
    from wandb.errors import Error

    kept = Path(folder) / "wandb_id.txt"

    class Wandb(WandbLogger):
        """A WandbLogger that goes on offline where no server answers."""

        @property
        @rank_zero_experiment
        def experiment(self) -> Any:
            try:
                return super().experiment
            except Error as error:
                said = str(error).splitlines()[0]
                print(
                    f"W&B does not answer ({said}): offline; `wandb sync {folder}/wandb/*` later",
                    file=sys.stderr,
                )
                self._wandb_init |= {"mode": "offline", "id": _new_id(kept)}  # the other stays in use
                return super().experiment

    netrc = Path(os.path.expanduser("~/.netrc"))  # some users have no home
    key = os.environ.get("WANDB_API_KEY") or (netrc.is_file() and "wandb" in read_text(netrc))
    how: Any = mode or os.environ.get("WANDB_MODE") or ("online" if key else "offline")
    if how not in MODES:
        raise ValueError(f"logger.wandb.mode={how} is unknown; choose one of {', '.join(MODES)}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    own: dict[str, Any] = {
        "id": read_text(kept) if kept.is_file() else _new_id(kept),
        "name": Path(folder).name,
        "resume": "allow",
        "mode": how,
        "settings": _settings(patience),
    }
    return Wandb(project=project, save_dir=folder, log_model=False, **own)


def _settings(patience: float) -> Any:
    import wandb

    return wandb.Settings(init_timeout=patience, silent=True)


def _new_id(path: Path) -> str:
    """A new identity for a folder's W&B run, kept in a file."""
    name = secrets.token_hex(8)
    write_text(path, name)
    return name


def finish(loggers: Iterable[Logger], failed: bool) -> None:
    """Close what a run's loggers have open: a tracker's run would take in what the next run logs."""
    for logger in loggers:
        tracker: Any = getattr(logger, "_experiment", None)  # `experiment` would begin one
        if hasattr(tracker, "finish"):
            tracker.finish(exit_code=int(failed))
