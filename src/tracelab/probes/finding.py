"""Where directions come from: what a model writes, a contrast of it, and another model's, carried over.

found, written = contrasted(run, model, asked, other, places)
known = directions(found, places, seed)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracelab.core.types import Task
from tracelab.evaluation.judging import judge_model, knobs_of, trained_model
from tracelab.models.base import Model
from tracelab.models.places import check_places
from tracelab.probes.activations import Written
from tracelab.probes.alignment import align, as_deep, carry, tokens
from tracelab.probes.contrasts import Contrast, check_contrast, contrast
from tracelab.probes.directions import Direction, find
from tracelab.probes.moments import activations
from tracelab.runs import sets
from tracelab.runs.arms import begun_with
from tracelab.runs.build import build, build_task
from tracelab.runs.folder import Run
from tracelab.runs.identity import arm_of, went_on
from tracelab.runs.knobs import options
from tracelab.runs.settings import Sampling
from tracelab.runs.trained import check_as_begun
from tracelab.training.resuming import check_vocabulary

EDIT_HEADS = "edit_heads"  # a way to change the model, by the contrast itself


@dataclass(frozen=True)
class Transfer:
    """Another run, in whose model directions are found, and how they are carried; see conf/steer.yaml."""

    run: Run
    rank: int
    tokens: int
    places: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked for: conf/steer.yaml says what each is."""

    contrast: str
    kind: str | None
    match: str
    fit: Sampling
    places: tuple[str, ...] | None
    together: bool
    ways: tuple[str, ...]
    scales: tuple[float, ...]
    heads: float
    control: bool
    transfer: Transfer | None = None

    def text(self, other: Run | None) -> str:
        """What makes the directions, beside the contrast; runs by what they are, not by where they lie."""
        of: dict[str, dict[str, Any]] = {"steps": {"kind": self.kind}, "length": {"match": self.match}}
        more = {**of.get(self.contrast, {}), "other": other and arm_of(other)}
        if (carried := self.transfer) is not None:
            more |= {"transfer": arm_of(carried.run), "rank": carried.rank, "tokens": carried.tokens}
            more |= {"transfer.places": carried.places}
        if EDIT_HEADS in self.ways:
            more |= {"heads": self.heads}
        return knobs_of(self.fit, **{name: value for name, value in more.items() if value is not None})


def written_of(run: Run, task: Task, model: Model, fit: Sampling, max_new: int) -> Written:
    """What the run's model writes on problems of the validation split, less what was cut off."""
    examples = sets.problems(run.settings, task, "val", fit.problems)
    judged = judge_model(model, task, examples, fit, max_new)
    whole = np.flatnonzero(~judged.completions.truncated)
    if not len(whole):
        raise ValueError(f"{run.folder}: no completion ends, so nothing can be contrasted: train it longer")
    examples, completions = judged.examples.take(whole), judged.completions.tokens.take(whole)
    return Written.of(task, examples, completions, model.lead)


def reader_of(other: Run, run: Run, task: Task, knob: str = "other") -> Model:
    """The other run's model: what the run began with, if it went on from the other, else as it was evaluated.

    knob: which names it. ValueError if it has another shape, other words or other latents, so no place is
    common, or if the run went on from it and it was trained on since.
    """
    check_vocabulary(other.folder, task.codec.vocabulary)
    theirs, ours = (options(each.settings.model) for each in (other, run))
    if theirs != ours:
        raise ValueError(
            f"{knob}={other.folder} has another shape than {run.folder} ({theirs}, not {ours}): take "
            "two runs of one model, such as a run and what it was post-trained to"
        )
    check_latents(other, run)
    checkpoint: str = other.settings.eval.checkpoint
    if went_on(run, other):
        checkpoint = begun_with(run.config)
        check_as_begun(run, other)
    return trained_model(other, task, checkpoint, other.read_json("run.json")["context"])


def check_latents(one: Run, other: Run) -> None:
    """ValueError unless the models of both runs read the same latents behind a prompt, or none."""
    thinks = [build("trace", run.settings.trace).thinks for run in (one, other)]
    theirs, ours = (f"{each.number} {each.feedback}" if each else "none" for each in thinks)
    if theirs != ours:
        raise ValueError(
            f"{one.folder} has other latents than {other.folder} ({theirs}, not {ours}), so that they do not "
            "read the same: take two runs with equal ones, or without"
        )


def contrasted(
    run: Run, model: Model, asked: Asked, other: Run | None, seen: Sequence[str]
) -> tuple[Contrast, Written]:
    """The contrast in a run's model at these places, and the completions that it is of.

    ValueError, before any is written, if it cannot be had.
    """
    task = build_task(run.settings.task)
    check_contrast(
        asked.contrast, task, other=other, kind=asked.kind, match=asked.match, samples=asked.fit.samples
    )
    check_places(model, seen)
    theirs = None if other is None else reader_of(other, run, task)
    written = written_of(run, task, model, asked.fit, asked.fit.limit(run.read_json("run.json")))
    about = {"other": theirs, "kind": asked.kind, "match": asked.match}
    return contrast(asked.contrast, task, model, written, seen, **about), written


def directions(found: Contrast, places: Sequence[str], seed: int) -> dict[str, Direction]:
    """The direction at each place."""
    return {place: find(found.rows[place], found.label, found.stratum, found.group, seed) for place in places}


def transferred(
    transfer: Transfer, to: Run, model: Model, where: Sequence[str], asked: Asked, other: Run | None
) -> dict[str, Direction]:
    """Directions of another run's model, carried over to these places of a run's own.

    ValueError if it has other words or latents, if places do not pair, or if heads are to be edited.
    """
    if EDIT_HEADS in asked.ways:
        raise ValueError("ways=[edit_heads] is by the run's own contrast: leave it out, or transfer.run")
    run, task = transfer.run, build_task(to.settings.task)
    check_vocabulary(run.folder, task.codec.vocabulary)
    check_latents(run, to)
    theirs = trained_model(run, task, run.settings.eval.checkpoint, run.read_json("run.json")["context"])
    places = transfer.places or [as_deep(place, len(model.blocks), len(theirs.blocks)) for place in where]
    if len(places) != len(where):
        raise ValueError(f"transfer.places names {len(places)} places for {len(where)}: name one for each")
    found, written = contrasted(run, theirs, asked, other, list(dict.fromkeys(places)))
    known = directions(found, list(dict.fromkeys(places)), run.settings.eval.seed)
    drawn = tokens(written, transfer.tokens, run.settings.eval.seed, min(theirs.context, model.context))
    texts, group = written.prompts.joined(written.completions), written.problem[drawn.text]
    source, target = (activations(one, texts, drawn, at) for one, at in ((theirs, places), (model, where)))
    rank, seed = transfer.rank, run.settings.eval.seed
    return {
        place: carry(known[its], its, align(source[its], target[place], group, rank, seed), rank)
        for place, its in zip(where, places, strict=True)
    }
