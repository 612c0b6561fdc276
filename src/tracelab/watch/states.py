"""What is known of runs from their folders: status, progress, figures, time left.

watcher = Watcher([Path("runs/study")])
states = watcher()          # sorted by arm and seed; cheap, however often it is asked
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelab.core.files import read_json
from tracelab.runs.arms import arms_of, described
from tracelab.runs.claims import LOCK, is_claimed
from tracelab.runs.folder import is_run, runs_below
from tracelab.watch.reading import Kept, tail

Row = dict[str, str]
GOING_ON = ("starting", "training", "judging")
STATUSES = (*GOING_ON, "done", "failed", "interrupted")
LOOK = 10.0  # seconds between two looks for new folders


@dataclass(frozen=True)
class State:
    """A run as it is now. used: the share of its budget, from 0 to 1; left: seconds; None: not known.

    right, valid: shares of held-out problems, of solutions that are valid and of traces, by validation.
    """

    folder: Path
    arm: str
    seed: int
    status: str
    used: float | None
    loss: str
    right: list[float]
    valid: list[float]
    left: float | None


class Watcher:
    """The states of all runs at or below folders. Only files that have changed are read again."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self.records = Kept(read_json)
        self.rows = Kept(tail)
        self.configs = Kept(lambda path: described(path.parent))
        self.runs: list[Path] = []
        self.looked = float("-inf")
        self.arms: dict[Path, str] = {}
        self.named: dict[Path, Any] = {}  # the configs that arms were named for

    def __call__(self) -> list[State]:
        """The states now."""
        if time.monotonic() - self.looked > LOOK:
            self.runs = sorted({run for folder in self.folders for run in runs_below(folder, is_begun)})
            self.looked = time.monotonic()
        configs = {run: self.configs(run / "config.yaml") for run in self.runs}
        readable = {run: config for run, config in configs.items() if config}
        if readable != self.named:
            self.named, self.arms = readable, named(readable)
        states = [self._state(run, config) for run, config in readable.items()]
        return sorted(states, key=lambda state: (state.arm, state.seed, state.folder))

    def _state(self, run: Path, config: dict[str, Any]) -> State:
        rows = self.rows(run / "metrics.csv") or []
        status = status_of(run, self.records(run / "run.json") or {})
        used, minutes = last(rows, "train/used"), last(rows, "train/minutes")
        left = 60 * minutes * (1 / used - 1) if used and minutes is not None else None
        return State(
            folder=run,
            arm=self.arms[run],
            seed=config["seed"],
            status=status,
            used=1.0 if status in ("judging", "done") else used,
            loss=loss_of(rows),
            right=numbers(rows, "val/solution_valid"),
            valid=numbers(rows, validity_of(rows)),
            left=left if status == "training" else None,
        )


def named(configs: dict[Path, dict[str, Any]]) -> dict[Path, str]:
    """Folders -> the arms of their runs, named within each task, and with it where there are several."""
    tasks = {folder: config["names"].get("task") for folder, config in configs.items()}
    arms: dict[Path, str] = {}
    for task in dict.fromkeys(tasks.values()):
        folders = [folder for folder in configs if tasks[folder] == task]
        before = f"{task}: " if len({*tasks.values()}) > 1 else ""
        of_task = arms_of([configs[folder] for folder in folders])
        arms |= {folder: before + arm for folder, arm in zip(folders, of_task, strict=True)}
    return arms


def is_begun(folder: Path) -> bool:
    """Is it a run's folder, or that of one which draws its problems still?"""
    return is_run(folder) or all((folder / name).is_file() for name in ("config.yaml", LOCK))


def status_of(run: Path, record: dict[str, Any]) -> str:
    """One of STATUSES. record: what run.json says, which a process that was killed has left as it was."""
    said = record.get("status")
    if said == "evaluated":
        return "done"
    if is_claimed(run):
        return {"training": "training", "trained": "judging"}.get(str(said), "starting")
    failed = said == "failed" or (run / "error.txt").is_file()  # a sweep's, of a job that was killed
    return "failed" if failed else "interrupted"


def numbers(rows: Sequence[Row], name: str) -> list[float]:
    """The numbers of a column, where there are any."""
    return [float(row[name]) for row in rows if row.get(name)]


def last(rows: Sequence[Row], name: str) -> float | None:
    """The last number of a column, if there is any."""
    return next((float(row[name]) for row in reversed(rows) if row.get(name)), None)


def loss_of(rows: Sequence[Row]) -> str:
    """The last training loss; of a post-training, which has none, the mean reward: `r 0.52`."""
    loss, reward = last(rows, "train/loss"), last(rows, "rollout/reward")
    if loss is not None:
        return f"{loss:.3f}"
    return "" if reward is None else f"r {reward:.2f}"


def validity_of(rows: Sequence[Row]) -> str:
    """The column of the strictest level that the task judges traces at."""
    names = [name for name in (rows[-1] if rows else {}) if name.startswith("val/trace_")]
    levels = [name for name in names if not name.endswith(("_loss", "_steps"))]
    return "val/trace_strict" if "val/trace_strict" in levels else (levels or [""])[-1]
