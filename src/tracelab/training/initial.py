"""The model before its first step: from the seed, or with the weights of another run.

python -m tracelab.train trace=swapped init_from=runs/...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracelab.models.base import Model
from tracelab.models.precision import Precision
from tracelab.runs.build import build, build_model
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.folder import Run
from tracelab.runs.identity import arm_of, gone_on_with, lineage
from tracelab.runs.knobs import options
from tracelab.runs.settings import Experiment
from tracelab.runs.trained import settled
from tracelab.runs.treatments import build_treatment
from tracelab.training.resuming import check_vocabulary
from tracelab.training.settings import Training


def with_source(experiment: Training) -> Training:
    """The experiment, its names with the arm whose weights it begins with. ValueError if there is none.

    A run that is begun has written down what it was, and does not need the other any more.
    """
    if experiment.init_from is None:
        return experiment
    begun = gone_on_with("init_from", experiment.as_dict())
    if begun is not None:
        source = begun["names"].get("source")
    else:
        run, checkpoint = weights_of(experiment.init_from)
        source = arm_of(run, checkpoint.stem)
    return replace(experiment, names=replace(experiment.names, source=source))


def weights_of(init_from: str) -> tuple[Run, Path]:
    """The run and the checkpoint that init_from names: a checkpoint, or a run's folder, whose last it is."""
    given = Path(init_from)
    path = given / "checkpoints" / "last.ckpt" if given.is_dir() else given
    if not path.is_file() or not (path.parents[1] / "config.yaml").is_file():
        raise ValueError(
            f"init_from={given} is neither the folder of a run with a checkpoint, nor such a checkpoint"
        )
    return Run.open(path.parents[1]), path


def build_initial(
    experiment: Training, vocabulary: tuple[str, ...], context: int, precision: Precision, resumed: bool
) -> Model:
    """The model as it is before its first step: from the seed, or with the weights of init_from.

    resumed: its weights will be a checkpoint's, so that none are looked for. ValueError if they do not fit.
    """
    treatment = build_treatment(experiment.trace)
    model = build_model(experiment.model, vocabulary, context, experiment.seed, precision, treatment)
    if experiment.init_from is None or resumed:
        return model
    run, path = weights_of(experiment.init_from)
    check_vocabulary(run.folder, vocabulary)
    try:
        model.load_state_dict(load_weights(path))
    except RuntimeError:
        raise ValueError(f"init_from={path}: {why_unfit(run.settings, experiment)}") from None
    return model


def why_unfit(source: Experiment, experiment: Experiment) -> str:
    """Why weights of a run do not fit the model of an experiment, and what to do."""
    both = source, experiment
    theirs, ours = ({**options(each.model), "context": None} for each in both)
    if theirs != ours:
        return f"its weights are of another model ({theirs}, not {ours}): take the same model.*"
    thinks = (build("trace", each.trace).thinks for each in both)
    theirs, ours = (f"latents of {latents.feedback}" if latents else "no latents" for latents in thinks)
    return (
        f"its model has {theirs} and this one {ours}, which have weights of their own: begin with a run of "
        "the same trace.feedback, or leave init_from out"
    )


def origin(experiment: Training, before: Mapping[str, Any]) -> dict[str, Any]:
    """Where the first weights are from, for run.json. before: what that said, if the run is resumed."""
    if experiment.init_from is None or "init_from" in before:
        return {name: before[name] for name in ("init_from", "ancestors", "began") if name in before}
    run, path = weights_of(experiment.init_from)
    source = {"run": run.name, "seed": run.settings.seed, "progress": load_progress(path)}
    return {"init_from": source, "ancestors": lineage(run), "began": settled(run, path.stem)}
