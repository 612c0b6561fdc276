"""A reward function and a data set for TRL's trainers (GRPOTrainer, RLOOTrainer).

trainer = GRPOTrainer(model, reward_funcs=reward(), train_dataset=dataset(task_named("maze"), 1000), ...)

Solution and trace are rewarded, and logged apart: `solution`, `optimal`, `trace_<level>` and, of traces that
fail, `first_bad_step`. Completions of several problems are judged together, each problem solved once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracelab.adapters.words import Parts, Weights, drawn, scores
from tracelab.core.types import Task

Said = str | list[dict[str, Any]]  # text, or the messages of a conversation


def dataset(
    task: Task, count: int, split: str = "train", seed: int = 0, chat: bool = True, native: bool = False
) -> Any:
    """A `datasets.Dataset` of prompts, each with the `reference` that the reward reads.

    chat: as a conversation? native: the problem alone in the task's own words, for models that speak those?
    """
    from datasets import Dataset

    rows = []
    for question in drawn(task, count, split, seed):
        text = question.problem if native else question.prompt
        prompt = [{"role": "user", "content": text}] if chat and not native else text
        rows.append({"prompt": prompt, "reference": question.reference})
    return Dataset.from_list(rows)


def reward(weights: Weights | None = None, native: bool = False) -> Callable[..., list[float]]:
    """A reward function. native: do models answer in the task's own format, not between tags?"""
    weights = weights or Weights()

    def tracelab(
        completions: Sequence[Said],
        completion_ids: Sequence[Sequence[int]] | None = None,
        *,
        reference: Sequence[str],
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float]:
        """A reward for each completion; TRL passes the data set's columns and its loggers by name."""
        answers = [said if isinstance(said, str) else _last(said) for said in completions]
        parts = scores(reference, answers, weights.level, native)
        if log_metric is not None:
            for part in parts:
                for name, value in _logged(part).items():
                    log_metric(name, value)
        if log_extra is not None:
            for name in ("solution_reason", "trace_reason", "first_bad_step"):
                log_extra(name, [part[name] for part in parts])
        return [weights.of(part) for part in parts]

    return tracelab


def _last(messages: Sequence[dict[str, Any]]) -> str:
    """The text of a conversation's last message."""
    return str(messages[-1].get("content") or "") if messages else ""


def _logged(part: Parts) -> dict[str, float]:
    """What is logged of an answer: TRL means each name over all who have it, on all processes."""
    values = {name: value for name, value in part.items() if isinstance(value, float)}
    place = part["first_bad_step"]
    return {**values, "first_bad_step": float(place)} if place >= 0 else values
