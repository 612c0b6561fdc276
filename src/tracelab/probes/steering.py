"""Does a direction do anything? It is added to activations, or taken out of them, and the model is judged.

    known, outcomes = of_run(run, asked, other=None, splits=None, problems=256)

A scale of 1 adds the difference of the two groups' means, or the image of another model's where a direction
was carried over. Beside each direction stands a random one of its length. Sources: Turner et al. 2023 (arXiv
2308.10248) for adding, Arditi et al. 2024 (arXiv 2406.11717) for projecting out, Sun et al. 2025 (ThinkEdit,
arXiv 2503.22048) for the heads that write a direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tracelab.core import rng
from tracelab.evaluation.judging import judge_model, labels, trained_model
from tracelab.evaluation.outcomes import table_of
from tracelab.models import places as at
from tracelab.models.base import Model
from tracelab.probes import heads
from tracelab.probes.contrasts import Contrast
from tracelab.probes.directions import Direction
from tracelab.probes.finding import EDIT_HEADS, Asked, contrasted, directions, transferred
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling

NOTHING, ADD, PROJECT_OUT = "none", "add", "project_out"
FOUND, RANDOM, TOGETHER = "found", "random", "together"


@dataclass(frozen=True)
class Changed:
    """A change of the model.

    where: a place, or `together`; what: the direction that was found, or a random one.
    """

    where: str
    way: str
    scale: float | None
    what: str
    context: AbstractContextManager[Any]


def like(vector: Tensor, place: str, seed: int) -> Tensor:
    """A random direction as long as the vector."""
    drawn = torch.from_numpy(rng.rng(seed, "val", 0, f"direction {place}").standard_normal(len(vector)))
    return drawn * (vector.norm() / drawn.norm())


def changes(model: Model, vectors: Mapping[str, Tensor], asked: Asked, seed: int) -> Iterator[Changed]:
    """All changes that are asked for, first of all none. vectors: of each place, (features,)."""
    yield Changed(NOTHING, NOTHING, None, NOTHING, at.change(model, {}))
    kinds = {FOUND: vectors}
    if asked.control:
        kinds[RANDOM] = {place: like(vector, place, seed) for place, vector in vectors.items()}
    for what, theirs in kinds.items():
        groups = {TOGETHER: theirs} if asked.together else {place: {place: v} for place, v in theirs.items()}
        for where, group in groups.items():
            if ADD in asked.ways:
                for scale in asked.scales:
                    functions = {place: at.add(vector, scale) for place, vector in group.items()}
                    yield Changed(where, ADD, scale, what, at.change(model, functions))
            if PROJECT_OUT in asked.ways:
                functions = {place: at.project_out(vector) for place, vector in group.items() if vector.any()}
                yield Changed(where, PROJECT_OUT, None, what, at.change(model, functions))


def of_run(
    run: Run, asked: Asked, other: Run | None, splits: list[str] | None, problems: int | None
) -> tuple[pa.Table, pa.Table]:
    """-> (the directions, the outcomes under each change). splits: test sets (None: the first).

    Directions are found on the validation split. ValueError if there is no such test set or place, or if
    nothing can be contrasted, or heads of a model without attention are to be edited.
    """
    record, task = run.read_json("run.json"), build_task(run.settings.task)
    sampling = replace(run.settings.eval, problems=problems or run.settings.eval.problems)
    tests = sets.chosen(sets.test_sets(replace(run.settings, eval=sampling), task), splits)
    model = trained_model(run, task, sampling.checkpoint, record["context"])
    where = asked.places or tuple(f"blocks.{i}" for i in range(len(model.blocks)))
    at.check_places(model, where)
    editing = heads.places(model) if EDIT_HEADS in asked.ways else []
    if asked.transfer is None:
        found = contrasted(run, model, asked, other, list(dict.fromkeys([*where, *editing])))[0]
        known = directions(found, where, sampling.seed)
    else:
        known = transferred(asked.transfer, run, model, where, asked, other)
    vectors = {place: torch.from_numpy(direction.vector) for place, direction in known.items()}
    every = list(changes(model, vectors, asked, sampling.seed))
    if editing:
        every += edits(model, found, asked, sampling.seed)
    fixed = {**labels(run), "contrast": asked.contrast, "asked": asked.text(other)}
    outcomes = [
        outcome
        for change in every
        for outcome in under(change, model, tests, replace(sampling, max_new=sampling.limit(record)), fixed)
    ]
    return table(known, fixed), pa.concat_tables(outcomes, promote_options="permissive")


def edits(model: Model, found: Contrast, asked: Asked, seed: int) -> list[Changed]:
    """The heads that write most against the direction are kept from it; and as many by chance."""
    written, units = heads.contributions(model, found), heads.stream_directions(model, found)
    count = max(1, round(asked.heads * written.size))
    chance = rng.rng(seed, "val", 0, "heads").permutation(written.size)
    chosen = {FOUND: written.ravel().argsort(), **({RANDOM: chance} if asked.control else {})}
    return [
        Changed("heads", EDIT_HEADS, None, what, heads.edited(model, order[:count], units))
        for what, order in chosen.items()
    ]


def under(
    change: Changed, model: Model, tests: sets.TestSets, sampling: Sampling, about: Mapping[str, Any]
) -> list[pa.Table]:
    """The outcomes on each test set, as in outcomes.parquet, and what was changed."""
    say(f"{change.way} {change.where} {'' if change.scale is None else change.scale} ({change.what})")
    assert sampling.max_new is not None
    found = []
    with change.context:
        for name, (task, examples) in tests.items():
            judged = judge_model(model, task, examples, sampling, sampling.max_new)
            fixed = {**about, "split": name, "place": change.where, "way": change.way}
            whole = table_of(judged, task, {**fixed, "direction": change.what})
            found.append(whole.append_column("scale", pa.array([change.scale] * len(whole), pa.float64())))
    return found


def table(known: Mapping[str, Direction], about: Mapping[str, Any]) -> pa.Table:
    """A row per place: its direction, see `Direction`; norm: its length, what a scale of 1 adds."""
    rows = [
        {
            **about,
            "place": place,
            "norm": float(np.linalg.norm(direction.vector)),
            **vars(direction),
            "vector": direction.vector.tolist(),
        }
        for place, direction in known.items()
    ]
    return pa.Table.from_pylist(rows)
