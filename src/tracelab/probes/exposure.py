"""Which problems a run was trained on, and how often: as its loader took them, drawn again.

known = seen(run.settings, task, load_progress(run.checkpoint())["examples"], before)
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelab.batches.loader import layout_of
from tracelab.core.types import Examples, Task
from tracelab.runs import sets
from tracelab.runs.settings import Experiment
from tracelab.runs.treatments import build_treatment
from tracelab.training.budget import short_first


@dataclass(frozen=True)
class Seen:
    """The n places in the stream of training problems that a run was trained on, ascending.

    index: the places; identity: canonical hashes of their problems; content: hashes of these as they are
    written, so that a mirrored one is another; times: how often each was trained on, from whatever place.
    """

    index: NDArray[np.int64]
    identity: NDArray[np.uint64]
    content: NDArray[np.uint64]
    times: NDArray[np.int64]


def seen(experiment: Experiment, task: Task, count: int, before: Sequence[str] = ()) -> Seen:
    """Problems of the first `count` sequences that an experiment trains on; how often each came.

    before: budgets that the run had (run.json's extended_from). ValueError if they are counted by nobody.
    """
    treatment = build_treatment(experiment.trace)
    if treatment.in_turn():
        raise ValueError(
            f"trace={experiment.names.trace} changes in the course of a training, whose problems nobody "
            "counts: take a run of another treatment, or of one stage (trace.stage)"
        )
    if experiment.data.teacher is not None:
        raise ValueError(
            "data.teacher went from one kind of problems to another as the model learned, and nobody counts "
            "them: take a run without a teacher (data.teacher=null)"
        )
    if experiment.data.order is not None:
        raise ValueError(
            f"data.order={experiment.data.order} trains on one file after the other, whose problems nobody "
            "counts: take a run whose problems were drawn (data.files=null)"
        )
    chunks = sets.training_problems(experiment, task)
    arm = sets.arms(experiment, task, treatment, chunks)
    taken: dict[int, NDArray[np.int64]] = {}  # how often each of a piece's problems was
    for k in itertools.count():
        piece = chunks.piece(k)
        once = np.ones(chunks.size(piece), np.int64)
        if count < len(once):
            lengths = arm(chunks[piece], "train").sequences.tokens.lengths
            first = short_first(experiment, lengths, before)
            layout = layout_of(experiment.data.batch_tokens, experiment.data.packing, first)
            plan = layout.plan(lengths, experiment.seed, k)
            once = np.bincount(np.concatenate([batch.values for batch in plan])[:count], minlength=len(once))
        taken[piece] = taken.get(piece, 0) + once
        count -= int(once.sum())
        if not count:
            break
    parts = [_listed(chunks[piece], taken[piece]) for piece in sorted(taken)]
    index, identity, content, times = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    _, same = np.unique(content, return_inverse=True)
    all_times = np.bincount(same, times).astype(np.int64)[same]
    rows = np.flatnonzero(times)
    return Seen(index[rows], identity[rows], content[rows], all_times[rows])


def _listed(examples: Examples, times: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    return examples.index, examples.identity, contents(examples), times


def contents(examples: Examples) -> NDArray[np.uint64]:
    """(n,): equal where problems are the same to the letter."""
    rows = (row.astype(np.int64).tobytes() for row in examples.problem)
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) for row in rows], np.uint64)
