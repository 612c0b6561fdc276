"""What a post-training asks for, checked before anything is drawn.

check_settings(experiment)                   # ValueError names the knob
check_group(rollout, algorithm)
check_reach(rewards, algorithm)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from tracelab.algorithms.base import Algorithm
from tracelab.algorithms.expert_iteration import ExpertIteration
from tracelab.posttraining.rollout import Rollout
from tracelab.posttraining.settings import PostTraining
from tracelab.rewards.base import Reward, largest
from tracelab.runs.settings import in_shards

FEW = 4  # completions of a prompt
CLIP = 1.0  # trainer.gradient_clip_val, where nobody says


def check_settings(experiment: PostTraining) -> None:
    """ValueError if something is asked for that only a training has."""
    trainer = experiment.trainer
    if in_shards(trainer):
        raise ValueError(
            "post-training samples from whole models, of which trainer=fsdp leaves each process a shard: "
            "take trainer=ddp"
        )
    if (batches := trainer.get("accumulate_grad_batches", 1)) > 1:
        raise ValueError(
            f"trainer.accumulate_grad_batches={batches}: an update of post-training adds up gradients by "
            "itself, of updates.micro_tokens at a time; leave it at 1"
        )
    if (clip := trainer.get("gradient_clip_val", CLIP)) != CLIP:
        raise ValueError(
            f"trainer.gradient_clip_val={clip} has no effect on post-training, whose updates clip gradients "
            f"themselves: take updates.clip={clip}, and leave trainer.gradient_clip_val={CLIP}"
        )
    if experiment.eval.checkpoint == "best":
        raise ValueError(
            "eval.checkpoint=best: post-training has no validation loss, so that none of its checkpoints is "
            "the best; take eval.checkpoint=last"
        )


def check_group(rollout: Rollout, algorithm: Algorithm) -> None:
    """ValueError if groups are too small for the algorithm; a warning if they will say little."""
    size, equal, name = rollout.group, rollout.equal or algorithm.equal, type(algorithm).__name__
    if size < algorithm.least_group:
        raise ValueError(
            f"rollout.group={size}: {name} compares the completions of a "
            f"prompt; it needs {algorithm.least_group} at least"
        )
    if size == 1 and equal != "keep":
        raise ValueError(
            f"rollout.group=1: one completion is a group of equal reward, which rollout.equal={equal} leaves "
            "out; take rollout.equal=keep, or larger groups"
        )
    if algorithm.equal == "keep" and equal != "keep":
        warnings.warn(
            f"rollout.equal={equal} leaves out groups of equal reward, from which {name} learns, too: it is "
            "then not the algorithm as published",
            stacklevel=2,
        )
    if algorithm.least_group > 1 and size < FEW:
        warnings.warn(
            f"rollout.group={size}: of prompts that are solved once in five times, "
            f"{1 - 0.8**size - 0.2**size:.0%} of such small groups say anything; 8 to 16 "
            "completions of fewer prompts learn more from as many tokens",
            stacklevel=2,
        )


def check_reach(rewards: Mapping[str, Reward], algorithm: Algorithm) -> None:
    """ValueError if no completion can earn what expert iteration imitates."""
    if isinstance(algorithm, ExpertIteration) and (most := largest(rewards)) < algorithm.least:
        raise ValueError(
            f"algorithm.threshold={algorithm.threshold}: a completion earns {most:.6g} at most, so nothing "
            f"would be imitated; take algorithm.threshold={most:.6g} or less, or larger weights of rewards"
        )
