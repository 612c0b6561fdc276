"""Rollouts: problems, a group of completions each, their verdicts and rewards.

rollouts = roll(model, task, examples, rewards, group=8, max_new=200, temperature=1.0, seed=0, first=0)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracelab.core.ragged import Integers, Ragged
from tracelab.core.rows import concat, take
from tracelab.core.types import Examples, Task
from tracelab.data.frozen import references
from tracelab.decoding.completions import Completions
from tracelab.decoding.sampling import generate
from tracelab.models.base import Model
from tracelab.rewards.base import Graded, Reward, total


@dataclass(frozen=True)
class Rollouts:
    """P groups of G completions: n = P * G rows, a group's one after the other.

    examples: P; prompts: P rows, with the hint where there is one; completions: n rows, of what follows;
    graded: n verdicts on hint and completion together; rewards: (P, G); hinted: (P,) tokens.
    """

    examples: Examples
    prompts: Ragged
    completions: Completions
    graded: Graded
    rewards: NDArray[np.float64]
    hinted: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def equal(self) -> NDArray[np.bool_]:
        """(P,): have all completions of a group the same reward?"""
        return np.all(self.rewards == self.rewards[:, :1], axis=1)

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
    *,
    group: int,
    max_new: int,
    temperature: float,
    seed: int,
    first: int,
    hints: Ragged | None = None,
    batch_size: int = 256,
) -> Rollouts:
    """Complete each problem's prompt `group` times, judge, reward.

    first: where in the stream of (seed, "rollout") the samples' random numbers begin. hints: tokens to put
    behind the prompts; they are judged with what follows, but were not sampled.
    """
    hints = Ragged.of([[]] * len(examples)) if hints is None else hints
    prompts = task.prompts(examples).joined(hints)
    completions = generate(
        model,
        prompts,
        samples=group,
        stop=task.codec.stop,
        max_new=max_new,
        temperature=temperature,
        seed=seed,
        stream="rollout",
        first=first,
        batch_size=batch_size,
    )
    rows = np.repeat(np.arange(len(examples)), group)
    whole = hints.take(rows).joined(completions.tokens)
    lengths = references(task, examples).lengths[rows]
    verdicts = task.judge(examples.take(rows), whole)
    graded = Graded(verdicts, task.levels, whole.lengths, completions.truncated, lengths)
    return Rollouts(
        examples,
        prompts,
        completions,
        graded,
        total(rewards, graded).reshape(len(examples), group),
        hints.lengths,
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
