"""What a probe of conf/probe/ is: a frozen dataclass of its knobs, called with a run.

python -m tracelab.probe states run=runs/...        # conf/probe/states.yaml names the class
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from tracelab.runs.folder import Run


class Shown(NamedTuple):
    """A table for the terminal: headings, rows of cells, and a line below."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


class Probe(Protocol):
    """A question asked of a trained model. file: the table in the run's folder that has the answer."""

    file: str

    def __call__(self, run: Run) -> pa.Table:
        """What is found of a run. ValueError if it cannot be asked."""

    def shown(self, path: Path) -> Shown:
        """What a written file says, for the terminal."""
