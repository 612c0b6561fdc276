"""Add and subtract what trainings did to the weights: a run made of other runs, judged.

python -m tracelab.arithmetic base=runs/third add=runs/grpo subtract=runs/sft lambda=0.5 to=runs/reasoning
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tracelab.core.settings import Count, Finite, Fraction, Place, Seed, Weight, settings
from tracelab.runs.entry import entry
from tracelab.runs.settings import OnDevices

if TYPE_CHECKING:
    from tracelab.runs.folder import Run


def _listed(given: Any) -> Any:
    """A list; of words, what stands between commas."""
    return [word.strip() for word in given.split(",")] if isinstance(given, str) else given


Models = Annotated[list[Place], BeforeValidator(_listed)]


@settings
class Arithmetic:
    """The knobs of this command: conf/arithmetic.yaml says what each is."""

    base: Place
    add: Models
    subtract: Models
    to: Place
    lambda_: Finite = Field(alias="lambda")
    density: Fraction
    gains: bool
    control: Literal["random"] | None
    seed: Seed
    checkpoint: Literal["last", "best"]
    tolerance: Weight
    trainer: OnDevices = OnDevices()
    threads: Count | None = None

    def __post_init__(self) -> None:
        if not self.add and not self.subtract:
            raise ValueError("add= and subtract= are both empty: name a run whose weights are to be added")


def weighed(place: str, sign: int) -> tuple[str, float]:
    """`runs/a:0.5` -> (`runs/a`, 0.5), times the sign; the weight is 1 where none stands there.

    ValueError if it is no finite number.
    """
    folder, colon, word = place.rpartition(":")
    try:
        weight = float(word) if colon else 1.0
    except ValueError:  # a colon in a folder's name
        return place, float(sign)
    if not math.isfinite(weight):
        raise ValueError(f"{place}: the weight of a run is a finite number, as in {folder}:0.5")
    return (folder if colon else place), sign * weight


def runs_of(asked: Arithmetic) -> tuple[Run, tuple[tuple[Run, float], ...]]:
    """The base, and the runs that are added to it and subtracted, with their weights."""
    from tracelab.runs.folder import Run

    base, models = Run.open(asked.base, "base"), []
    for knob, sign, places in (("add", 1, asked.add), ("subtract", -1, asked.subtract)):
        for place in places:
            folder, weight = weighed(place, sign)
            models.append((Run.open(folder, knob), weight))
    if all(run.folder.resolve() == base.folder.resolve() for run, _ in models):
        raise ValueError(f"all runs are the base itself, base={asked.base}, and differ from it by nothing")
    return base, tuple(models)


@entry("arithmetic", Arithmetic)
def main(asked: Arithmetic) -> None:
    """Merge, evaluate, print what the vectors are and how the result does."""
    from pathlib import Path

    from tracelab.analysis.task_vectors import of_run
    from tracelab.evaluation.judging import evaluate
    from tracelab.probes.arithmetic import Merge, merge
    from tracelab.runs.build import build_task
    from tracelab.runs.sets import test_sets
    from tracelab.runs.tables import print_results
    from tracelab.runs.weight_tables import print_vectors
    from tracelab.training import accelerate
    from tracelab.training.devices import on_devices

    accelerate.start(asked.threads)
    base, models = runs_of(asked)
    what = Merge(
        base=base,
        models=models,
        scale=asked.lambda_,
        density=asked.density,
        gains=asked.gains,
        control=asked.control,
        seed=asked.seed,
        checkpoint=asked.checkpoint,
        tolerance=asked.tolerance,
    )
    run = merge(what, Path(asked.to))
    experiment = run.settings
    call = on_devices(run, asked.trainer.devices, asked.threads)
    tests = test_sets(experiment, build_task(experiment.task))
    metrics = evaluate(run, experiment.eval, tests, run.folder, call)
    run.write_json("run.json", {**run.read_json("run.json"), "status": "evaluated"})
    print_vectors(of_run(run.folder), run.name)
    print_results(metrics, run.name, run.folder)


if __name__ == "__main__":
    main()
