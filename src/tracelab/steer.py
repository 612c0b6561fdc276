"""Find directions in activations by contrast, add them or take them out, and judge what is written then.

python -m tracelab.steer run=runs/... contrast=length match=optimal_cost
"""

from __future__ import annotations

from typing import Annotated, Literal

from tracelab.core.settings import Count, Finite, Fraction, Once, Place, Some, settings
from tracelab.probes.settings import Fit
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Carried:
    """Another run whose directions are carried over, and how."""

    run: Place | None
    rank: Count
    tokens: Count
    places: Some[str] | None


@settings
class Steering:
    """The knobs of this command: conf/steer.yaml says what each is."""

    run: Place
    contrast: Literal["runs", "parts", "steps", "length"]
    other: Place | None
    kind: str | None
    match: str
    fit: Fit
    transfer: Carried
    places: Annotated[Some[str], Once] | None
    together: bool
    ways: Annotated[Some[Literal["add", "project_out", "edit_heads"]], Once]
    scales: Annotated[list[Finite], Once]
    heads: Fraction
    control: bool
    splits: Some[str] | None
    problems: Count | None
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("steer", Steering)
def main(asked: Steering) -> None:
    """Find, change, judge, print."""
    from dataclasses import replace

    from tracelab.analysis import steering as analysis
    from tracelab.core.files import whole
    from tracelab.evaluation import outcomes
    from tracelab.probes.finding import Asked, Transfer
    from tracelab.probes.steering import of_run
    from tracelab.runs.folder import Run
    from tracelab.runs.trained import settled, unmoved
    from tracelab.runs.weight_tables import print_steering
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    accelerate.start(asked.threads)
    run = Run.open(asked.run)
    fit = replace(run.settings.eval, **vars(asked.fit))
    source = asked.transfer
    transfer = None
    if source.run is not None:
        places = tuple(source.places) if source.places else None
        transfer = Transfer(Run.open(source.run, "transfer.run"), source.rank, source.tokens, places)
    what = Asked(
        contrast=asked.contrast,
        kind=asked.kind,
        match=asked.match,
        fit=fit,
        places=tuple(asked.places) if asked.places else None,
        together=asked.together,
        ways=tuple(asked.ways),
        scales=tuple(asked.scales),
        heads=asked.heads,
        control=asked.control,
        transfer=transfer,
    )
    other = Run.open(asked.other, "other") if asked.other else None
    stamp = settled(run)
    call = on_devices(run, asked.trainer.devices, asked.threads)
    with unmoved(*(one for one in (other, transfer and transfer.run) if one)):
        known, found = call(of_run, run, what, other, asked.splits, asked.problems)
    with whole(run.folder / analysis.DIRECTIONS) as partial:  # both files or, but for a kill between, neither
        outcomes.write(known, partial, run, stamp, asked.problems)
        outcomes.write(found, run.folder / analysis.FILE, run, stamp, asked.problems)
    print_steering(*analysis.of_run(run.folder), run.name, run.folder / analysis.FILE)


if __name__ == "__main__":
    main()
