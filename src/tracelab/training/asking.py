"""What trained models are asked, run after run; each answer lies in its run's folder.

for run, path in each(asked, "assessment.parquet", of_run, asked.splits):
    print(run.name, path)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from tracelab.evaluation import outcomes
from tracelab.runs.entry import say
from tracelab.runs.folder import Run, runs_at
from tracelab.runs.settings import OnDevices
from tracelab.runs.trained import settled
from tracelab.training import accelerate
from tracelab.training.devices import on_devices


class Asked(Protocol):
    """The knobs that commands have in common which ask trained models."""

    @property
    def run(self) -> str | list[str]:
        """Folders of runs, or above runs."""

    @property
    def trainer(self) -> OnDevices:
        """How many devices take part."""

    @property
    def threads(self) -> int | None:
        """Threads of each process; None: a share."""

    @property
    def problems(self) -> int | None:
        """Test problems; None: as many as a run is judged on."""


def each(
    asked: Asked, file: str, question: Callable[..., Any], *arguments: Any, **options: Any
) -> Iterator[tuple[Run, Path]]:
    """Each run, and where the answer to `question(run, *arguments, **options)` lies, once it lies there.

    A run that cannot be asked is named and left out. ValueError if it is the only one, or there is none.
    """
    accelerate.start(asked.threads)
    runs = runs_at([asked.run] if isinstance(asked.run, str) else asked.run)
    for run in runs:
        call = on_devices(run, asked.trainer.devices, asked.threads)
        try:
            stamp = settled(run)
            answer = call(question, run, *arguments, **options)
            outcomes.write(answer, run.folder / file, run, stamp, asked.problems)
        except ValueError as error:
            if len(runs) == 1:
                raise
            say(f"{run.name} is left out: {error}")
            continue
        yield run, run.folder / file
