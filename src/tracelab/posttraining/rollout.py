"""Rollouts: problems, a group of completions each, their verdicts and rewards.

rollouts = roll(model, task, examples, rewards, Rollout(prompts=16, group=8, max_new=200), Stream(seed=0))

What a step of training learns from of them is for `posttraining.groups`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tracelab.algorithms.base import SLACK
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.rows import concat, take
from tracelab.core.settings import Count, Positive, Warm, settings
from tracelab.core.types import Examples, Task
from tracelab.data.frozen import references
from tracelab.decoding.completions import Completions
from tracelab.decoding.sampling import Stream, generate
from tracelab.models.base import Model
from tracelab.rewards.base import Graded, Reward, total


@settings
class Rollout:
    """How a round's completions are sampled.

    prompts, group: problems per step and completions of each. max_new: tokens of a completion; None: as many
    as in the run's evaluation. temperature: of sampling, and of the probabilities that are trained. equal,
    rounds, curriculum: which groups are learned from (`posttraining.groups`; equal None: as the algorithm has
    it). hint: what a hint shows;
    reliance: the scale, in nats per token, on which groups that rely on theirs weigh less; None: they do not
    (`posttraining.hints`). batch_size: rows sampled together.
    """

    prompts: Count
    group: Count
    max_new: Count | None = None
    temperature: Warm = 1.0
    equal: Literal["keep", "filter", "resample", "hint"] | None = None
    hint: Literal["trace", "solution", "waypoint"] = "trace"
    reliance: Positive | None = None
    rounds: Count = 4
    curriculum: str | None = None
    batch_size: Count = 256

    @property
    def longest(self) -> int:
        """The most tokens of a completion, where `max_new` is known."""
        assert self.max_new is not None, "whoever samples says how long completions may be"
        return self.max_new


@dataclass(frozen=True)
class Rollouts:
    """P groups of G completions: n = P * G rows, a group's one after the other.

    examples: P; prompts: P rows, with what the model reads behind them, and the hint where there is one;
    completions: n rows, of what follows; graded: n verdicts, on the completion with a hint of the trace;
    rewards: (P, G); hinted: (P,) tokens; weight: (P,) by which a group's advantages are multiplied.
    """

    examples: Examples
    prompts: Ragged
    completions: Completions
    graded: Graded
    rewards: NDArray[np.float64]
    hinted: NDArray[np.int64]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def equal(self) -> NDArray[np.bool_]:
        """(P,): have all completions of a group the same reward, but for rounding?"""
        return np.all(np.abs(self.rewards - self.rewards[:, :1]) <= SLACK, axis=1)

    @property
    def solved(self) -> NDArray[np.bool_]:
        """(P, G): is the solution valid?"""
        return self.graded.verdicts.solution_valid.reshape(self.rewards.shape)

    def take(self, groups: Integers) -> Rollouts:
        """Some of the groups."""
        group = self.rewards.shape[1]
        rows = (np.asarray(groups)[:, None] * group + np.arange(group)).ravel()
        return Rollouts(
            take(self.examples, groups),
            self.prompts.take(groups),
            take(self.completions, rows),
            take(self.graded, rows),
            self.rewards[groups],
            self.hinted[groups],
            self.weight[groups],
        )

    @staticmethod
    def concat(parts: Sequence[Rollouts]) -> Rollouts:
        """All groups of all parts."""
        return concat(parts)


def roll(
    model: Model,
    task: Task,
    examples: Examples,
    rewards: Mapping[str, Reward],
    settings: Rollout,
    stream: Stream,
    hints: Ragged | None = None,
) -> Rollouts:
    """Complete each problem's prompt `settings.group` times, judge, reward.

    hints: tokens to put behind the prompts, which were not sampled; a trace's are judged with what follows.
    """
    hints = Ragged.of([[]] * len(examples)) if hints is None else hints
    prompts = model.opened(task.prompts(examples)).joined(hints)
    completions = generate(
        model,
        prompts,
        samples=settings.group,
        stop=task.codec.stop,
        max_new=settings.longest,
        temperature=settings.temperature,
        stream=stream,
        batch_size=settings.batch_size,
    )
    rows = np.repeat(np.arange(len(examples)), settings.group)
    begun = settings.hint == "trace"
    whole = hints.take(rows).joined(completions.tokens) if begun else completions.tokens
    lengths = references(task, examples).lengths[rows]
    verdicts = task.judge(examples.take(rows), whole)
    graded = Graded(verdicts, task.levels, whole.lengths, completions.truncated, lengths)
    return Rollouts(
        examples,
        prompts,
        completions,
        graded,
        total(rewards, graded).reshape(len(examples), settings.group),
        hints.lengths,
        np.ones(len(examples)),
    )


def describe(rollouts: Rollouts) -> dict[str, float]:
    """What is always logged, whatever is rewarded."""
    graded, verdicts = rollouts.graded, rollouts.graded.verdicts
    levels = {f"trace_{level}": verdicts.trace_ok[:, k] for k, level in enumerate(graded.levels)}
    means = {
        "reward": rollouts.rewards,
        "reward_deviation_in_groups": rollouts.rewards.std(axis=1),
        "solution_valid": verdicts.solution_valid,
        "solution_optimal": verdicts.solution_optimal,
        **levels,
        "pass_at_group": rollouts.solved.any(axis=1),
        "equal_groups": rollouts.equal,
        "tokens": graded.lengths,
        "trace_steps": verdicts.steps,
        "truncated": graded.truncated,
    }
    return {name: float(np.mean(values)) for name, values in means.items()}
