"""Impose traces on a trained model: interventions.parquet in its folder, and what came of each.

python -m tracelab.intervene run=runs/...
"""

from __future__ import annotations

from typing import Annotated

from tracelab.core.settings import Count, Fraction, Once, Place, Share, Some, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Intervening:
    """The knobs of this command: conf/intervene.yaml says what each is."""

    run: Place
    splits: Some[str] | None
    problems: Count | None
    rates: Annotated[list[Fraction], Once]
    prefixes: Annotated[list[Share], Once]
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("intervene", Intervening)
def main(asked: Intervening) -> None:
    """Intervene on the in-distribution test set, or those that are named."""
    from tracelab.analysis.interventions import of_run as shares_of
    from tracelab.evaluation import outcomes
    from tracelab.probes.interventions import of_run
    from tracelab.runs.folder import Run
    from tracelab.runs.tables import print_interventions
    from tracelab.runs.trained import settled
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    accelerate.start(asked.threads)
    run = Run.open(asked.run)
    doses = {"rates": tuple(asked.rates), "prefixes": tuple(asked.prefixes)}
    path = run.folder / "interventions.parquet"
    call = on_devices(run, asked.trainer.devices, asked.threads)
    stamp = settled(run)
    found = call(of_run, run, asked.splits, asked.problems, **doses)
    outcomes.write(found, path, run, stamp, asked.problems)
    print_interventions(shares_of(path), run.name, path)


if __name__ == "__main__":
    main()
