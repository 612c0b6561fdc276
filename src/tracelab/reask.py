"""Ask trained models a second question behind the trace of the first: reasked.parquet in a run's folder.

python -m tracelab.reask run=runs/...
"""

from __future__ import annotations

from tracelab.core.settings import Count, Places, Some, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Reasking:
    """The knobs of this command: conf/reask.yaml says what each is."""

    run: Places
    splits: Some[str] | None
    problems: Count | None
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("reask", Reasking)
def main(asked: Reasking) -> None:
    """Ask each run's model again, on the in-distribution test set or those that are named."""
    from tracelab.analysis.reasking import FIGURES, FILE, of_file
    from tracelab.probes.reasking import of_run
    from tracelab.runs.tables import print_shares
    from tracelab.training.asking import each

    headings = ("fits second", "fits first", "neither", "trace settles it", "fits, if so", "fits, if not")
    for run, path in each(asked, FILE, of_run, asked.splits, asked.problems):
        names = {"split": "test set", "behind": "behind trace"}
        shown = dict(zip(FIGURES, headings, strict=True))
        print_shares(of_file(path), run.name, path, names, shown, {"n": "n", "left_out": "left out"})


if __name__ == "__main__":
    main()
