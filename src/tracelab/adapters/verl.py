"""Rows and scores for verl: Parquet in its format, and the function that its reward managers call.

write(task_named("maze"), 1000, "train.parquet")

    reward.custom_reward_function.path=pkg://tracelab.adapters.verl
    reward.custom_reward_function.name=compute_score

A score is a dictionary: `score`, which is rewarded, and the verdicts that it is made of (`words.scores`),
under the same names whatever the task. What an answer lacks is None, a level or the first bad step of a trace
that passes: verl's means leave it out. `reward_kwargs` may give the weights. `compute_scores` takes a whole
batch, for the manager `batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracelab.adapters.rules import BEST_FIRST
from tracelab.adapters.words import Parts, Weights, drawn, scores
from tracelab.core.files import whole
from tracelab.core.types import SPLITS, Task

TOLD = ("reward_router_address", "reward_model_tokenizer")  # what verl tells rewards that ask a model
LACKING = {f"trace_{level}": None for level in BEST_FIRST}  # the grammar that has every level


def rows(task: Task, count: int, split: str = "train", seed: int = 0) -> list[dict[str, Any]]:
    """Problems as verl's data sets have them. split: see `words.drawn`; verl averages by `data_source`, which
    names a test set out of distribution, too.
    """
    source = f"tracelab_{task.name}" if split in SPLITS else f"tracelab_{task.name}_{split}"
    return [
        {
            "data_source": source,
            "prompt": [{"role": "user", "content": question.prompt}],
            "ability": "search",
            "reward_model": {"style": "rule", "ground_truth": question.reference},
            "extra_info": {"split": split, "index": index, "problem": question.problem},
        }
        for index, question in enumerate(drawn(task, count, split, seed))
    ]


def write(task: Task, count: int, path: str | Path, split: str = "train", seed: int = 0) -> None:
    """Write problems as a Parquet file that verl reads."""
    import pyarrow as pa
    import pyarrow.parquet

    with whole(Path(path)) as partial:
        pa.parquet.write_table(pa.Table.from_pylist(rows(task, count, split, seed)), partial)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Any = None,
    solution: float = 0.5,
    trace: float = 0.5,
    level: str = "strict",
    **others: Any,
) -> Parts:
    """The score of one answer and its parts. solution, trace, level: see `Weights`.

    others: what verl tells (`TOLD`), which is not used. ValueError if there is anything else.
    """
    weights = (solution, trace, level)
    return compute_scores([data_source], [solution_str], [ground_truth], None, *weights, **others)[0]


def compute_scores(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[str],
    extra_infos: Any = None,
    solution: float = 0.5,
    trace: float = 0.5,
    level: str = "strict",
    **others: Any,
) -> list[Parts]:
    """The scores of a batch, each problem solved once for all its answers; see `compute_score`."""
    if unknown := sorted(set(others) - set(TOLD)):
        raise ValueError(f"reward_kwargs has no {unknown[0]!r}: give some of solution, trace, level")
    weights = Weights(solution, trace, level)
    parts = scores(ground_truths, solution_strs, level)
    return [{"score": weights.of(part), **_columns(part)} for part in parts]


def _columns(parts: Parts) -> Parts:
    """An answer's parts under the names of all tasks' parts: verl takes them from a batch's first answer."""
    at = parts["first_bad_step"]
    return {**LACKING, **parts, "first_bad_step": at if at >= 0 else None}
