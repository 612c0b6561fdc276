"""TensorBoard: event files in the run's folder.

python -m tracelab.train logger=tensorboard
tensorboard --logdir runs
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger

from tracelab.loggers.results import Results
from tracelab.loggers.tracker import Tracker


class TensorBoard(Tracker):
    """Event files in a folder. A resumed run adds one, which takes the place of what it logs once more, but
    for the first step of that.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("tensorboard")
        self.folder = folder

    def begin(self, step: int | None) -> TensorBoardLogger:
        """A writer to the folder; steps after this one that older files have are void."""
        again: dict[str, Any] = {"purge_step": (step or 0) + 1} if any(self.folder.glob("events.*")) else {}
        logger = TensorBoardLogger(
            str(self.folder.parent), name="", version=self.folder.name, default_hp_metric=False, **again
        )
        logger.log_hyperparams(self.config)
        return logger

    def show(self, results: Results) -> None:
        """Figures as scalars, pictures as images; files are named, for an event file holds none."""
        from matplotlib.image import imread

        writer = self.inner.experiment
        self.inner.log_metrics(results.figures, results.step)
        for path in results.pictures:
            pixels = np.asarray(imread(path))[..., :3]  # from 0 to 1, without the alpha channel
            writer.add_image(f"figures/{path.stem}", pixels, results.step, dataformats="HWC")
        writer.add_text("files", "\n\n".join(map(str, results.files)), results.step)

    def end(self, status: str) -> None:
        """Close the event file."""
        self.inner.finalize("success" if status == "evaluated" else status)


def tensorboard(folder: str) -> TensorBoard:
    """TensorBoard as a run's tracker."""
    return TensorBoard(Path(folder))
