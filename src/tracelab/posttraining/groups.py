"""Which groups a step of post-training learns from: new problems, a curriculum, and groups of equal reward.

    rollouts, figures = Sampler(task, rewards, Rollout(prompts=16, group=8, max_new=200), seed=0)(model, 0.1)

Where a group is its own baseline, one whose completions all have one reward teaches nothing. What is done
with it is `Rollout.equal`:

    keep      it stays in the batch, and in the denominator of a mean over it
    filter    it is left out
    resample  so it is, and new problems are drawn in its place, up to `rounds` times
    hint      groups without a success and of equal reward try again behind a hint (`posttraining.hints`),
              whose length adapts, so that half of the hinted groups succeed at least once. Then as filter.
              Where the context has no room for the hint and a solution, there is none

Reinforcement with a baseline for the whole batch, and imitation, learn from such groups, too:
`Algorithm.equal` says what is done where nobody else does. A KL or an entropy term acts on the groups that
are left.

`Rollout.curriculum` names a complexity measure by which problems go from the easiest to the hardest quarter.
Problems and samples come from named streams of their own, so that a resumed run goes on with what would
have come. Several processes share the groups of a round, and draw what one would have drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task
from tracelab.data.frozen import drawn
from tracelab.decoding.sampling import Stream
from tracelab.decoding.sharing import gathered
from tracelab.models.base import Model
from tracelab.posttraining.hints import ALONE, check_reliance, hint_tokens, reliance, weights, with_room
from tracelab.posttraining.rollout import Rollout, Rollouts, describe, roll
from tracelab.rewards.base import Reward
from tracelab.training.processes import share

HINT_STEP = 0.05  # by what share of the steps a hint grows or shrinks
POOL = 4  # problems drawn per prompt for a curriculum to choose from


class Sampled(NamedTuple):
    """What sampling has read and written: tokens of completions; places that were read, of a group's prompt
    once, and for a reliance again; and pairs of such a place and one that it may see.
    """

    tokens: int = 0
    places: int = 0
    pairs: int = 0

    def and_of(self, rollouts: Rollouts) -> Sampled:
        """The sums with those of some rollouts more."""
        prompts, written = rollouts.prompts.lengths, rollouts.completions.tokens.lengths
        whole = np.repeat(prompts, rollouts.rewards.shape[1]) + written - 1  # the last token is read by none
        places = prompts.sum() + (written - 1).sum()
        again = pairs_within(np.repeat(prompts, rollouts.rewards.shape[1])) - pairs_within(prompts)
        more = int(written.sum()), int(places), pairs_within(whole) - again
        return Sampled(*(a + b for a, b in zip(self, more, strict=True)))

    def and_read(self, lengths: Integers) -> Sampled:
        """The sums with sequences that were read whole, of so many tokens each."""
        return self._replace(
            places=self.places + int(lengths.sum()), pairs=self.pairs + pairs_within(lengths)
        )


def pairs_within(lengths: Integers) -> int:
    """Pairs of a token and one that it may see, in sequences of such lengths."""
    return int((lengths * (lengths + 1) // 2).sum())


@dataclass
class Cursor:
    """Where the streams are; kept with checkpoints. hint: the share of the steps that a hint shows."""

    problems: int = 0
    samples: int = 0
    hint: float = 0.5


class Sampler:
    """Draws rollouts. Its `cursor` is all that changes, and `sampled`: what the last call read and wrote."""

    def __init__(self, task: Task, rewards: Mapping[str, Reward], settings: Rollout, seed: int) -> None:
        self.task = task
        self.rewards = rewards
        self.settings = settings
        self.seed = seed
        self.cursor = Cursor()
        self.sampled = Sampled()
        check_reliance(settings)
        if settings.curriculum is not None and settings.curriculum not in task.complexities:
            raise ValueError(
                f"rollout.curriculum={settings.curriculum} is no measure of this task; it has "
                f"{', '.join(task.complexities)}"
            )

    def __call__(self, model: Model, used: float) -> tuple[Rollouts, dict[str, float]]:
        """The groups to learn from, and figures on what was sampled first. used: share of the budget."""
        self.sampled = Sampled()
        rollouts = self._roll(model, self._problems(self.settings.prompts, used))
        figures = describe(rollouts)
        if self.settings.equal == "resample":
            rollouts = self._resampled(model, rollouts, used)
        if self.settings.equal == "hint":
            rollouts, hints = self._hinted(model, rollouts)
            figures |= hints
        if self.settings.equal != "keep":
            rollouts = with_signal(rollouts)
        return rollouts, figures

    def state_dict(self) -> dict[str, Any]:
        """Fields of the cursor, for checkpoints."""
        return asdict(self.cursor)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.cursor = Cursor(**state)

    def _problems(self, n: int, used: float) -> Examples:
        """New problems; under a curriculum the right n of POOL times as many."""
        measure, start = self.settings.curriculum, self.cursor.problems
        count = n if measure is None else POOL * n
        self.cursor.problems += count
        examples = drawn(self.task, self.seed, "train", "posttraining", start, start + count)
        if measure is None:
            return examples
        first = round(used * (count - n))
        chosen = np.argsort(examples.complexity[measure], kind="stable")[first : first + n]
        return examples.take(np.sort(chosen))  # as they were drawn: each update has easy and hard ones

    def _roll(self, model: Model, examples: Examples, hints: Ragged | None = None) -> Rollouts:
        """All groups, of which each of several processes completes and judges a share."""
        mine, size = share(len(examples)), self.settings.group
        rollouts = None
        if len(mine):
            stream = Stream(self.seed, "rollout", self.cursor.samples + int(mine[0]) * size)
            behind = None if hints is None else hints.take(mine)
            some = examples.take(mine)
            rollouts = roll(model, self.task, some, self.rewards, self.settings, stream, behind)
        self.cursor.samples += len(examples) * size
        everyone = Rollouts.concat([part for part in gathered(rollouts) if part is not None])
        self.sampled = self.sampled.and_of(everyone)
        return everyone

    def _resampled(self, model: Model, rollouts: Rollouts, used: float) -> Rollouts:
        wanted, good = len(rollouts), [with_signal(rollouts)]
        for _ in range(self.settings.rounds):
            if sum(map(len, good)) >= wanted:
                break
            good.append(with_signal(self._roll(model, self._problems(wanted, used))))
        return Rollouts.concat(good).take(np.arange(min(wanted, sum(map(len, good)))))

    def _hinted(self, model: Model, rollouts: Rollouts) -> tuple[Rollouts, dict[str, float]]:
        failed = np.flatnonzero(~rollouts.solved.any(axis=1) & rollouts.equal)
        figures = {"hinted_groups": len(failed) / len(rollouts), "hint_share": self.cursor.hint}
        if len(failed) == 0:
            return rollouts, figures
        examples = rollouts.examples.take(failed)
        hints = hint_tokens(self.task, examples, self.cursor.hint, self.settings.hint)
        fits = with_room(self.task, examples, rollouts.prompts.take(failed), hints, model.context)
        figures["hints_too_long"] = 1.0 - float(fits.mean())
        if not fits.any():
            self.cursor.hint = max(self.cursor.hint - HINT_STEP, 0.0)
            return rollouts, figures
        failed, some = failed[fits], np.flatnonzero(fits)
        again = self._roll(model, examples.take(some), hints.take(some))
        success = float(again.solved.any(axis=1).mean())
        longer = HINT_STEP if success < 0.5 else -HINT_STEP
        self.cursor.hint = float(np.clip(self.cursor.hint + longer, 0.0, 1.0))
        figures |= {"hinted_groups_solved": success, "hinted_solution_valid": float(again.solved.mean())}
        if success > 0 and self.settings.hint in ALONE:
            relied, read = reliance(model, again)
            self.sampled = self.sampled.and_read(read)
            again = replace(again, weight=weights(relied, self.settings.reliance))
            known = ~np.isnan(relied)
            weight = again.weight[known].mean()
            figures |= {"hint_reliance": float(relied[known].mean()), "hint_weight": float(weight)}
        places = np.arange(len(rollouts))
        places[failed] = len(rollouts) + np.arange(len(failed))
        return Rollouts.concat([rollouts, again]).take(places), figures  # in the order of the draw


def with_signal(rollouts: Rollouts) -> Rollouts:
    """The groups whose rewards differ."""
    return rollouts.take(np.flatnonzero(~rollouts.equal))
