"""What trackers have in common: each is begun, takes metrics and at the end results, and is ended.

None can fail a run: what its library raises (no network, a full disk) is said once, and the run goes on
without it. A library that is missing is said before anything is computed (`check_installed`).
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from tracelab.loggers.results import Results

# How a run may end beside well. (One of several processes ends while the run is still "training".)
FAILURES = ("failed", "interrupted")


class Tracker(Logger):
    """Another library's logger, begun when there is something to log. label: its name in `logger=`."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self.config: dict[str, Any] = {}
        self.inner: Any = None  # Lightning's logger, once it is begun
        self._lost = False

    @abstractmethod
    def begin(self, step: int | None) -> Logger:
        """Lightning's logger of the tracker's run, begun or gone on with. step: the first that is logged."""

    @abstractmethod
    def show(self, results: Results) -> None:
        """Log what the run has found."""

    @abstractmethod
    def end(self, status: str) -> None:
        """End the tracker's run. status: as run.json has it."""

    @property
    def name(self) -> str:
        """Name of the logger."""
        return self.label

    @property
    def version(self) -> str:
        """Not used: a run has one folder."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Keep the config, which goes with what is logged first."""
        self.config = dict(params) if isinstance(params, Mapping) else vars(params)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log numbers of a step."""
        self._safely(lambda: self.begun(step).log_metrics(metrics, step))

    @rank_zero_only
    def report(self, folder: Path) -> None:
        """Log the results in a run's folder."""

        def act() -> None:
            results = Results.of(folder)
            self.begun(results.step)
            self.show(results)

        self._safely(act)

    @rank_zero_only
    def finish(self, status: str) -> None:
        """End what was begun: a library's run that stays open would take in what the next run logs."""
        if self.inner is not None:
            self._safely(lambda: self.end(status), anyway=True)
            self.inner = None

    def begun(self, step: int | None) -> Any:
        """Lightning's logger, which is begun if it is not."""
        if self.inner is None:
            self.inner = self.begin(step)
        return self.inner

    def _safely(self, action: Callable[[], Any], anyway: bool = False) -> None:
        """Act, unless it went wrong before. anyway: then, too, and silently."""
        if self._lost and not anyway:
            return
        try:
            action()
        except Exception as error:  # whatever libraries raise
            if self._lost:
                return
            self._lost = True
            reason = (str(error).strip().splitlines() or [""])[0]
            warnings.warn(
                f"logger={self.label} takes no more of this run ({type(error).__name__}: {reason}): the run "
                "goes on, and metrics.csv has all of it",
                stacklevel=3,
            )


def check_installed(target: str) -> None:
    """ValueError if a tracker's library is missing. target: what a config's `_target_` says."""
    label = target.rpartition(".")[2]
    if target.startswith("tracelab.loggers.") and label.islower() and find_spec(label) is None:
        raise ValueError(
            f"logger={label}: {label} is not installed; it is in the extra `trackers`: "
            "python -m pip install -c constraints.txt -e '.[trackers]'"
        )


def report(loggers: Iterable[Logger], folder: Path) -> None:
    """Give trackers the results in a run's folder."""
    for logger in loggers:
        if isinstance(logger, Tracker):
            logger.report(folder)


def finish(loggers: Iterable[Logger], status: str) -> None:
    """End the trackers' runs. status: of the run, as run.json has it."""
    for logger in loggers:
        if isinstance(logger, Tracker):
            logger.finish(status)
