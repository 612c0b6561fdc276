"""Does a model tell a valid trace from its damaged twin? assessment.parquet in its folder.

python -m tracelab.assess run=runs/...
"""

from __future__ import annotations

from typing import Annotated

from tracelab.core.settings import Count, Fraction, Once, Places, Some, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Assessing:
    """The knobs of this command: conf/assess.yaml says what each is."""

    run: Places
    splits: Some[str] | None
    problems: Count | None
    kinds: Annotated[Some[str], Once] | None
    rates: Annotated[Some[Fraction], Once]
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("assess", Assessing)
def main(asked: Assessing) -> None:
    """Assess each run's model on the in-distribution test set, or those that are named."""
    from tracelab.analysis.assessment import FIGURES, FILE, of_file
    from tracelab.probes.assessment import of_run
    from tracelab.runs.tables import print_shares
    from tracelab.training.asking import each

    doses = {"rates": tuple(asked.rates), "kinds": asked.kinds}
    for run, path in each(asked, FILE, of_run, asked.splits, asked.problems, **doses):
        names = {"split": "test set", "kind": "damage", "rate": "rate"}
        shown = dict(zip(FIGURES, ("trace likelier", "per token", "at first change"), strict=True))
        counts = {"longer": "twin longer by", "n": "n", "first_n": "n at change", "left_out": "left out"}
        print_shares(of_file(path), run.name, path, names, shown, counts)


if __name__ == "__main__":
    main()
