"""Was what a post-trained run writes likely before? likelihood.parquet in its folder.

python -m tracelab.likelihood run=runs/...
"""

from __future__ import annotations

from tracelab.core.settings import Count, Place, Some, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices


@settings
class Asking:
    """The knobs of this command: conf/likelihood.yaml says what each is."""

    run: Place
    splits: Some[str] | None
    trainer: OnDevices = OnDevices()
    threads: Count | None = None


@entry("likelihood", Asking)
def main(asked: Asking) -> None:
    """Read the completions of a post-trained run, and of its source, with both models."""
    from tracelab.analysis.likelihood import FILE, of_file
    from tracelab.evaluation import outcomes
    from tracelab.probes.likelihood import of_run
    from tracelab.runs.folder import Run
    from tracelab.runs.tables import print_likelihood
    from tracelab.runs.trained import settled
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    accelerate.start(asked.threads)
    run = Run.open(asked.run)
    path = run.folder / FILE
    call = on_devices(run, asked.trainer.devices, asked.threads)
    stamp = settled(run)
    outcomes.write(call(of_run, run, asked.splits), path, run, stamp)
    print_likelihood(of_file(path), run.name, path)


if __name__ == "__main__":
    main()
