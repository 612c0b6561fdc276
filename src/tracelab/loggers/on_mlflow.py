"""MLflow: a store of files that many runs share, or a server.

python -m tracelab.train logger=mlflow
MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri mlruns
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lightning.pytorch.loggers import MLFlowLogger

from tracelab.core.files import lock, read_text, write_text
from tracelab.loggers.results import Results
from tracelab.loggers.tracker import Tracker

ENDS = {"evaluated": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class MLflow(Tracker):
    """An MLflow run of an experiment. store: a folder, or a server's address."""

    def __init__(self, experiment: str, folder: Path, store: str) -> None:
        super().__init__("mlflow")
        self.experiment_name, self.folder, self.store = experiment, folder, store

    def begin(self, step: int | None) -> MLFlowLogger:
        """One MLflow run for each run's folder, however often it is resumed; its parameters stay."""
        place = self.store.removeprefix("file://").removeprefix("file:")
        local = "://" not in place
        if local:  # MLflow would rather have a database
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        address = f"file:{Path(place).resolve()}" if local else place
        kept = self.folder / "mlflow_id.txt"
        known = read_text(kept) if kept.is_file() else None
        if known and not holds(address, known):
            known = None
        logger = MLFlowLogger(
            self.experiment_name, run_name=self.folder.name, tracking_uri=address, run_id=known
        )
        with alone(Path(place)) if local else nullcontext():
            client, run = logger.experiment, logger.run_id
        if known:
            client.update_run(run, "RUNNING")
        else:
            write_text(kept, str(run))
            logger.log_hyperparams(self.config)
        return logger

    def show(self, results: Results) -> None:
        """Figures as metrics, pictures and files as artifacts."""
        self.inner.log_metrics(results.figures, results.step)
        client, run = self.inner.experiment, self.inner.run_id
        for picture in results.pictures:
            client.log_artifact(run, str(picture), "figures")
        for path in results.files:
            client.log_artifact(run, str(path))

    def end(self, status: str) -> None:
        """Say how it ended."""
        if status in ENDS:
            self.inner.finalize(ENDS[status])


def holds(address: str, run: str) -> bool:
    """Is a run in the store at an address? One that was begun in another store is not."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        return bool(MlflowClient(address).get_run(run))
    except MlflowException:
        return False


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Begin no two runs at once in a store of files: both would make the experiment."""
    store.mkdir(parents=True, exist_ok=True)
    with (store / ".lock").open("ab") as file:
        lock(file, fcntl.lockf)
        yield


def mlflow(experiment: str, folder: str, store: str | None = None) -> MLflow:
    """MLflow as a run's tracker. store: None: as MLFLOW_TRACKING_URI says, else mlruns, here."""
    return MLflow(experiment, Path(folder), store or os.environ.get("MLFLOW_TRACKING_URI") or "mlruns")
