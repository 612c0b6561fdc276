"""The model before its first step: from the seed, or with the weights of another run.

python -m tracelab.train trace=swapped init_from=runs/...
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from hydra.utils import get_object

from tracelab.core.settings import Part
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
    if others := other_knobs(run.settings, experiment):
        warnings.warn(
            f"init_from={path}: its weights fit, but this model reads them in another way than the one that "
            f"learned them ({', '.join(others)})",
            stacklevel=2,
        )
    return model


def other_knobs(source: Experiment, experiment: Experiment) -> list[str]:
    """What differs between the models of a run and of an experiment: `heads: 2 there, 4 here`."""
    theirs, ours = knobs_of(source.model), knobs_of(experiment.model)
    different = [name for name in ours if theirs.get(name) != ours[name]]
    return [f"{name}: {theirs.get(name)} there, {ours[name]} here" for name in different]


def knobs_of(model: Part) -> dict[str, Any]:
    """The knobs of a model's part, with the defaults of those that it leaves out, but for the context."""
    known = signature(get_object(model["_target_"])).parameters.values()
    every = {knob.name: knob.default for knob in known if knob.default is not knob.empty} | options(model)
    return {name: value for name, value in every.items() if name not in ("context", "seed")}


def why_unfit(source: Experiment, experiment: Experiment) -> str:
    """Why weights of a run do not fit the model of an experiment, and what to do."""
    if other_knobs(source, experiment):
        theirs, ours = options(source.model), options(experiment.model)
        return f"its weights are of another model ({theirs}, not {ours}): take the same model.*"
    thinks = (build("trace", each.trace).thinks for each in (source, experiment))
    its, this = (f"{each.number} latents of {each.feedback}" if each else "no latents" for each in thinks)
    return (
        f"its model has {its} and this one {this}, which have weights of their own: begin with a run of "
        "the same trace.feedback, or leave init_from out"
    )


def origin(experiment: Training, before: Mapping[str, Any]) -> dict[str, Any]:
    """Where the first weights are from, for run.json. before: what that said, if the run is resumed."""
    if experiment.init_from is None or "init_from" in before:
        return {name: before[name] for name in ("init_from", "ancestors", "began") if name in before}
    run, path = weights_of(experiment.init_from)
    source = {"run": run.name, "seed": run.settings.seed, "progress": load_progress(path)}
    return {"init_from": source, "ancestors": lineage(run), "began": settled(run, path.stem)}
