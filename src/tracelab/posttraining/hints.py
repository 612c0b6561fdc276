"""Hints for groups of equal reward without a success: what they show, and how far right answers rely on them.

A hint is part of the reference's completion, put between the prompt and what is sampled (`Rollout.hint`):

    trace      the trace's first steps; what is sampled goes on from there, and both are judged together
    solution   the solution's first steps; what is sampled is judged alone, so all of it has to be written
    waypoint   one step from the middle of the solution; judged alone, too

How far hints go adapts (`posttraining.groups`), but for a waypoint. The reliance of a group is how much
likelier its right completions are with the hint than without it, in nats per token. Where it is high, what is
learned behind the hint need not help without one: exp(-max(reliance, 0) / Rollout.reliance) may weigh the
group down. Only what is judged alone has a reliance: behind a trace's first steps the rest of a trace is
sampled, which without them is malformed.

Source: Xia et al. 2026, Learning to Hint for Reinforcement Learning (arXiv 2604.00698). Theirs are written by
a model that learns to hint, and reliance is in its reward; here it weighs groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.decoding.logprobs import sums, teacher_forced
from tracelab.models.base import Model
from tracelab.posttraining.rollout import Rollout, Rollouts

ALONE = ("solution", "waypoint")  # hints behind which a whole completion is sampled, and judged alone


def check_reliance(settings: Rollout) -> None:
    """ValueError if groups are to be weighed by a reliance that they do not have."""
    if settings.reliance is not None and settings.hint not in ALONE:
        raise ValueError(
            f"rollout.reliance={settings.reliance}: behind rollout.hint={settings.hint} the rest of a trace "
            "is sampled, which is malformed without its hint, so that how much likelier it is with it is no "
            "reliance: take rollout.hint=solution or waypoint, or rollout.reliance=null"
        )


def hint_tokens(task: Task, examples: Examples, share: float, kind: str = "trace") -> Ragged:
    """(n rows) Each problem's hint. share: of the trace's or the solution's steps; a waypoint is one step."""
    codec, solutions = task.codec, examples.solution
    if kind == "waypoint":
        lengths = solutions.lengths
        return codec.encode(codec.solution, solutions.between(lengths // 2, np.minimum(lengths, 1)))
    rows, table, opening = (
        (examples.trace, codec.trace, codec.format.trace_open)
        if kind == "trace"
        else (solutions, codec.solution, codec.format.solution_open)
    )
    counts = np.floor(share * rows.lengths).astype(np.int64)
    steps = codec.encode(table, rows.between(np.zeros_like(counts), counts))
    return Ragged.of([codec.tokens_of(opening)] * len(examples)).joined(steps)


def with_room(
    task: Task, examples: Examples, prompts: Ragged, hints: Ragged, context: int
) -> NDArray[np.bool_]:
    """(n,) Has the context room for each problem's prompt, its hint and the reference's solution?"""
    solutions = hint_tokens(task, examples, 1.0, "solution").lengths + 1  # and the stop
    fits: NDArray[np.bool_] = prompts.lengths + hints.lengths + solutions <= context
    return fits


def reliance(model: Model, rollouts: Rollouts) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(P,) How much likelier each group's right completions are behind its hint than behind the prompt alone.

    In nats per token, the mean over right completions; nan where none is right. And how many tokens of each
    row the model has read for it: with and without the hint.
    """
    found, group = np.full(len(rollouts), np.nan), rollouts.rewards.shape[1]
    right = np.flatnonzero(rollouts.solved.ravel())
    if len(right) == 0:
        return found, np.zeros(0, np.int64)
    prompts, completions = rollouts.prompts.take(right // group), rollouts.completions.tokens.take(right)
    lengths = prompts.lengths - rollouts.hinted[right // group]
    bare = prompts.between(np.zeros_like(lengths), lengths)
    behind, alone = (sums(teacher_forced(model, start, completions)) for start in (prompts, bare))
    more = (behind - alone) / completions.lengths
    for which in np.unique(right // group):
        found[which] = more[right // group == which].mean()
    read = np.concatenate([start.lengths + completions.lengths - 1 for start in (prompts, bare)])
    return found, read


def weights(relied: NDArray[np.float64], temperature: float | None) -> NDArray[np.float64]:
    """(P,) What groups weigh: 1 where the temperature is None, or nothing is known of a group."""
    if temperature is None:
        return np.ones(len(relied))
    return np.exp(-np.maximum(np.nan_to_num(relied), 0.0) / temperature)
