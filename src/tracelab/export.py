"""Write a run as a folder that transformers, TransformerLens and nnsight load.

python -m tracelab.export run=runs/... to=maze-model
"""

from __future__ import annotations

from typing import Literal

from tracelab.core.settings import Place, settings
from tracelab.runs.entry import entry


@settings
class Export:
    """The knobs of this command: conf/export.yaml says what each is."""

    run: Place
    to: Place
    checkpoint: Literal["last", "best"]


@entry("export", Export)
def main(asked: Export) -> None:
    """Export; the files that were written are printed."""
    from pathlib import Path

    from tracelab.exchange.exporting import export
    from tracelab.runs.folder import Run

    for path in sorted(export(Run.open(asked.run), Path(asked.to), asked.checkpoint).iterdir()):
        print(path)


if __name__ == "__main__":
    main()
