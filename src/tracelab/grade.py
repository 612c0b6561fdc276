"""Grade new problems by how often a trained model solves them: files from easy to hard, with controls.

python -m tracelab.grade run=runs/... problems=3000 bins=3 samples=8
"""

from __future__ import annotations

from tracelab.probes.settings import Grading
from tracelab.runs.entry import entry


@entry("grade", Grading)
def main(asked: Grading) -> None:
    """Draw, answer, sort into bins, write, print."""
    from pathlib import Path

    from tracelab.probes.grading import CARD, check, of_run, rows_of, write
    from tracelab.runs.folder import Run
    from tracelab.runs.tables import print_rows
    from tracelab.runs.trained import settled
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    run = Run.open(asked.run)
    folder = Path(asked.output) if asked.output else run.folder / "graded"
    check(run, asked, folder)
    accelerate.start(asked.threads)
    stamp = settled(run, asked.checkpoint)
    graded = on_devices(run, asked.trainer.devices, asked.threads)(of_run, run, asked)
    write(graded, folder, run, stamp)
    headings = ("file", "problems", "pass rate", graded.card["measure"])
    caption = "means (least–most); pass rates in per cent"
    print_rows(run.name, headings, rows_of(graded.card), caption, folder / CARD)


if __name__ == "__main__":
    main()
