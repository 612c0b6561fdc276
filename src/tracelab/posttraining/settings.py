"""What is set for a post-training: the knobs of `python -m tracelab.posttrain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tracelab.core.settings import Count, Part, Place, Warm, read, settings
from tracelab.posttraining.rollout import Rollout
from tracelab.posttraining.updates import Updates
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.identity import arm_of, gone_on_with
from tracelab.runs.settings import Experiment
from tracelab.runs.test_sets import possible
from tracelab.training.budget import build_budget

INHERITED = ("task", "trace", "model", "metric", "data", "loss", "eval", "names")  # from the source's config


@settings
class HeldOutProblems:
    """Problems of the validation split that are completed during training: how many, every so many rounds."""

    problems: Count
    every: Count


@settings
class Passes:
    """How pass@k and maj@k are measured on the test set, before and after."""

    problems: Count
    samples: Count
    temperature: Warm


@settings
class PostTraining(Experiment):
    """An experiment that goes on from another run's model. conf/posttrain.yaml says what each knob is."""

    run: Place
    checkpoint: Literal["last", "best"]
    algorithm: Part
    reward: dict[str, Part]
    rollout: Rollout
    updates: Updates
    held_out: HeldOutProblems
    passes: Passes

    def __post_init__(self) -> None:
        build_budget(self.budget)  # it says what is wrong with it


def inherited(config: Mapping[str, Any]) -> PostTraining:
    """The settings of a post-training, with what it takes over from the run that it goes on from.

    What is given wins; a null of an inherited part says: as it was.
    """
    whole, source = dict(config), Run.open(str(config["run"]))
    for name in INHERITED:
        whole[name] = merged(source.config[name], config.get(name) or {})
    whole["task"] = possible(whole["task"], say)
    whole["names"] |= {"reward": "+".join(config["reward"]), "source": _arm_of_source(config, source)}
    return read(PostTraining, whole)


def merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was, with what is given in its place, at any depth. Of another class no knob of before is kept."""
    found = dict(before)
    for name, value in given.items():
        inner = before.get(name)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            same = value.get("_target_") in (None, inner.get("_target_"))
            found[name] = merged(inner if same else {}, value)
        elif value is not None:
            found[name] = value
    return found


def _arm_of_source(config: Mapping[str, Any], source: Run) -> str | None:
    """The arm of the run that it goes on from; of what is begun, as it was written down then."""
    if (begun := gone_on_with("run", config)) is not None:
        known: str | None = begun["names"].get("source")
        return known
    return arm_of(source, config["checkpoint"])
