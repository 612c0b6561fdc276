"""Rows and scores for verl: Parquet in its format, and the function that its reward managers call.

write(task_named("maze"), 1000, "train.parquet")

    custom_reward_function.path=pkg://tracelab.adapters.verl custom_reward_function.name=compute_score

A score is a dictionary: `score`, which is rewarded, and the verdicts that it is made of (see `words.scores`).
`reward_kwargs` may give the weights. `compute_scores` takes a whole batch, for the manager `batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracelab.adapters.words import Parts, Weights, drawn, scores
from tracelab.core.files import whole
from tracelab.core.types import Task


def rows(task: Task, count: int, split: str = "train", seed: int = 0) -> list[dict[str, Any]]:
    """Problems as verl's data sets have them."""
    return [
        {
            "data_source": f"tracelab_{task.name}",
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
    """The score of one answer and its parts. solution, trace, level: see `Weights`."""
    return compute_scores([data_source], [solution_str], [ground_truth], None, solution, trace, level)[0]


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
    """The scores of a batch, each problem solved once for all its answers."""
    weights = Weights(solution, trace, level)
    parts = scores(ground_truths, solution_strs, level)
    return [{"score": weights.of(part), **part} for part in parts]
