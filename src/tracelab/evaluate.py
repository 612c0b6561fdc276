"""Judge a trained model on its test sets.

python -m tracelab.evaluate run=runs/... eval.problems=1000
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

from tracelab.core.settings import Count, Place, Seed, Temperature, Threads, settings
from tracelab.runs.entry import entry, run_name
from tracelab.runs.settings import OnDevices, Sampling, no_copies

if TYPE_CHECKING:
    from pathlib import Path

    from tracelab.runs.folder import Run


@settings
class Changes:
    """What is to be other than a run was evaluated with; None: nothing."""

    problems: Count | None = None
    seed: Seed | None = None
    temperature: Temperature | None = None
    samples: Count | None = None
    max_new: Count | None = None
    batch_size: Count | None = None
    checkpoint: Literal["last", "best"] | None = None


@settings
class Evaluation:
    """The knobs of this command. run: a folder."""

    run: Place
    eval: Changes
    trainer: OnDevices = OnDevices()
    threads: Threads | None = None


def place_of(run: Run, asked: Changes) -> tuple[Sampling, Path]:
    """How a run is tested, and the folder for what comes of it: its own, or one for what is overridden."""
    before = run.settings.eval
    changes = {k: v for k, v in asdict(asked).items() if v is not None and v != getattr(before, k)}
    if not changes:
        return before, run.folder
    name = run_name(",".join(f"{k}={v}" for k, v in changes.items()))
    return replace(before, **changes), run.folder / "evaluations" / name


@entry("evaluate", Evaluation)
def main(asked: Evaluation) -> None:
    """Evaluate; what is overridden goes into a folder of its own below the run's."""
    from tracelab.evaluation.judging import evaluate
    from tracelab.runs.build import build_task
    from tracelab.runs.folder import Run
    from tracelab.runs.sets import test_sets
    from tracelab.runs.tables import print_results
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    run = Run.open(asked.run)
    tested, folder = place_of(run, asked.eval)
    experiment = replace(run.settings, eval=tested)
    no_copies("eval.", tested.samples, tested.temperature)
    accelerate.start(asked.threads)
    tests = test_sets(experiment, build_task(experiment.task))
    call = on_devices(run, asked.trainer.devices, asked.threads)
    metrics = evaluate(run, experiment.eval, tests, folder, call)
    print_results(metrics, run.name, folder)


if __name__ == "__main__":
    main()
