"""Has a trained model learned to solve, or learned by heart? memorisation.parquet in its folder.

python -m tracelab.memorise run=runs/...
"""

from __future__ import annotations

from tracelab.core.settings import Count, Place, settings
from tracelab.runs.entry import entry, say
from tracelab.runs.settings import OnDevices


@settings
class Memorising:
    """The knobs of this command: conf/memorise.yaml says what each is."""

    run: Place | list[Place]
    problems: Count | None
    perturbations: list[str] | None
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("memorise", Memorising)
def main(asked: Memorising) -> None:
    """Judge each run on trained, changed and fresh problems."""
    from tracelab.analysis.memorisation import FILE, of_file
    from tracelab.evaluation import outcomes
    from tracelab.probes.memorisation import of_run
    from tracelab.runs.folder import runs_at
    from tracelab.runs.tables import print_memorisation
    from tracelab.runs.trained import settled
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    accelerate.start(asked.threads)
    runs = runs_at([asked.run] if isinstance(asked.run, str) else asked.run)
    for run in runs:
        path, call = run.folder / FILE, on_devices(run, asked.trainer.devices, asked.threads)
        try:
            stamp = settled(run)
            outcomes.write(call(of_run, run, asked.problems, asked.perturbations), path, run, stamp)
        except ValueError as error:
            if len(runs) == 1:
                raise
            say(f"{run.name} is left out: {error}")
            continue
        print_memorisation(of_file(path), run.name, path)


if __name__ == "__main__":
    main()
