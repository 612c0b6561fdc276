"""Has a trained model learned to solve, or learned by heart? memorisation.parquet in its folder.

python -m tracelab.memorise run=runs/...
"""

from __future__ import annotations

from typing import Annotated

from tracelab.core.settings import Count, Once, Places, Some, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Memorising:
    """The knobs of this command: conf/memorise.yaml says what each is."""

    run: Places
    problems: Count | None
    perturbations: Annotated[Some[str], Once] | None
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("memorise", Memorising)
def main(asked: Memorising) -> None:
    """Judge each run on trained, changed and fresh problems."""
    from tracelab.analysis.memorisation import FILE, of_file
    from tracelab.probes.memorisation import of_run
    from tracelab.runs.tables import print_memorisation
    from tracelab.training.asking import each

    for run, path in each(asked, FILE, of_run, asked.problems, asked.perturbations):
        print_memorisation(of_file(path), run.name, path)


if __name__ == "__main__":
    main()
