"""Ask what is inside a trained model; which question, conf/probe/ has a file for each.

python -m tracelab.probe states run=runs/...
"""

from __future__ import annotations

from tracelab.core.settings import Count, Part, Place, settings
from tracelab.runs.entry import entry, say
from tracelab.runs.settings import OnDevices


@settings
class Probing:
    """The knobs of this command: conf/probe.yaml says what each is."""

    probe: Part
    run: Place | list[Place]
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("probe", Probing)
def main(asked: Probing) -> None:
    """Ask each run, and write what is found into its folder."""
    from tracelab.evaluation import outcomes
    from tracelab.probes.base import Probe
    from tracelab.runs.build import build
    from tracelab.runs.folder import runs_at
    from tracelab.runs.tables import print_rows
    from tracelab.runs.trained import settled
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    accelerate.start(asked.threads)
    probe: Probe = build("probe", asked.probe)
    runs = runs_at([asked.run] if isinstance(asked.run, str) else asked.run)
    for run in runs:
        path = run.folder / probe.file
        call = on_devices(run, asked.trainer.devices, asked.threads)
        try:
            stamp = settled(run)
            outcomes.write(call(probe, run), path, run, stamp)
        except ValueError as error:
            if len(runs) == 1:
                raise
            say(f"{run.name} is left out: {error}")
            continue
        print_rows(run.name, *probe.shown(path), path)


if __name__ == "__main__":
    main()
