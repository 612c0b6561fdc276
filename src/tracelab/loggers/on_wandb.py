"""Weights & Biases: online with a key, else offline; `wandb sync` uploads it later.

python -m tracelab.train logger=wandb
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any, Literal

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger

from tracelab.core.files import read_text, write_text
from tracelab.core.settings import Weight
from tracelab.loggers.results import Results
from tracelab.loggers.tracker import FAILURES, Tracker

MODES = ("online", "offline", "disabled")


class Wandb(Tracker):
    """A W&B run. mode: online, offline or disabled; patience: seconds that W&B has to answer."""

    def __init__(self, project: str, folder: Path, mode: str, patience: float) -> None:
        super().__init__("wandb")
        self.project, self.folder, self.mode, self.patience = project, folder, mode, patience

    def begin(self, step: int | None) -> OrOffline:
        """One W&B run for each run's folder, however often it is resumed."""
        import wandb

        kept = self.folder / "wandb_id.txt"
        own: dict[str, Any] = {
            "id": read_text(kept) if kept.is_file() else _new_id(kept),
            "name": self.folder.name,
            "resume": "allow",
            "mode": self.mode,
            "settings": wandb.Settings(init_timeout=self.patience, silent=True),
        }
        logger = OrOffline(project=self.project, save_dir=str(self.folder), log_model=False, **own)
        logger.log_hyperparams(self.config)
        return logger

    def show(self, results: Results) -> None:
        """Figures to the summary, pictures to the charts, and all of it as an artifact."""
        import wandb

        run = self.inner.experiment
        run.summary.update(results.figures)
        run.log({f"figures/{picture.stem}": wandb.Image(str(picture)) for picture in results.pictures})
        artifact = wandb.Artifact(f"run-{run.id}", type="run")
        for path in results.files:
            artifact.add_file(str(path), policy="immutable")  # uploaded from the run's folder: no copy
        for picture in results.pictures:
            artifact.add_file(str(picture), f"figures/{picture.name}", policy="immutable")
        run.log_artifact(artifact)

    def end(self, status: str) -> None:
        """Finish the W&B run."""
        self.inner.experiment.finish(exit_code=int(status in FAILURES))


class OrOffline(WandbLogger):
    """A WandbLogger that goes on offline where no server answers."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run."""
        from wandb.errors import Error

        try:
            return super().experiment
        except Error as error:
            said, folder = str(error).splitlines()[0], self._save_dir
            print(
                f"W&B does not answer ({said}): offline; `wandb sync {folder}/wandb/*` later",
                file=sys.stderr,
            )
            new = _new_id(Path(str(folder)) / "wandb_id.txt")  # the other stays in use
            self._wandb_init |= {"mode": "offline", "id": new}
            return super().experiment


def wandb(
    project: str,
    folder: str,
    mode: Literal["online", "offline", "disabled"] | None = None,
    patience: Weight = 20.0,
) -> Wandb:
    """Weights & Biases as a run's tracker.

    mode: online, offline or disabled; None: as WANDB_MODE says, else online where this machine has a key.
    patience: seconds that W&B has to answer; then it goes on offline, and says so.
    """
    netrc = Path(os.path.expanduser("~/.netrc"))  # some users have no home
    key = os.environ.get("WANDB_API_KEY") or (netrc.is_file() and "wandb" in read_text(netrc))
    how = mode or os.environ.get("WANDB_MODE") or ("online" if key else "offline")
    if how not in MODES:
        raise ValueError(f"logger.wandb.mode={how} is unknown; choose one of {', '.join(MODES)}")
    return Wandb(project, Path(folder), how, patience)


def _new_id(path: Path) -> str:
    """A new identity for a folder's W&B run, kept in a file."""
    name = secrets.token_hex(8)
    write_text(path, name)
    return name
