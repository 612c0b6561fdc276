"""Sample, judge, count: outcomes of a model on test sets, and the metrics over them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from omegaconf import DictConfig

from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task
from tracelab.metrics.base import Metric
from tracelab.models.gpt import GPT
from tracelab.outcomes import Judged, columns_of, table_of
from tracelab.sampling import generate

TestSets = Mapping[str, tuple[Task, Examples]]


def reference_lengths(task: Task, examples: Examples) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n,) tokens of each reference completion, trace included."""
    codec = task.codec
    nothing = Ragged(np.empty(0, np.int32), np.zeros(len(examples) + 1, np.int64))
    parts = (
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )
    lengths: np.ndarray[Any, np.dtype[np.int64]] = codec.assemble(nothing, *parts).tokens.lengths
    return lengths


def judge_model(model: GPT, task: Task, examples: Examples, config: DictConfig, max_new: int) -> Judged:
    """Complete each problem's prompt config.samples times and judge what comes."""
    rows = np.repeat(np.arange(len(examples)), config.samples)
    repeated = examples.take(rows)
    completions = generate(
        model,
        task.prompts(repeated),
        stop=task.codec.stop,
        max_new=max_new,
        temperature=config.temperature,
        seed=config.seed,
        batch_size=config.batch_size,
    )
    verdicts = task.judge(repeated, completions.tokens)
    assert not (completions.truncated & verdicts.solution_valid).any()
    sample = np.arange(len(rows)) % config.samples
    return Judged(repeated, completions, verdicts, sample)


def outcomes(
    model: GPT, tests: TestSets, config: DictConfig, max_new: int, labels: Mapping[str, Any]
) -> tuple[pa.Table, dict[str, float]]:
    """The outcomes on all test sets in one table, and sampling's figures (new tokens per second)."""
    model.eval()
    tables, tokens, seconds = [], 0, 0.0
    for name, (task, examples) in tests.items():
        began = time.perf_counter()
        judged = judge_model(model, task, examples, config, max_new)
        seconds += time.perf_counter() - began
        tokens += len(judged.completions.tokens.values)
        tables.append(table_of(judged, task, {**labels, "split": name}))
    speed = {"new_tokens": tokens, "seconds": seconds, "new_tokens_per_second": tokens / max(seconds, 1e-9)}
    return pa.concat_tables(tables, promote_options="permissive"), speed


def metrics_of(
    table: pa.Table, metrics: Mapping[str, Metric], levels: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Test set -> metric -> its estimate as a dictionary (value, n, low, high), in the table's order."""
    columns = columns_of(table)
    result = {}
    for split in dict.fromkeys(columns["split"]):
        mine = {name: values[columns["split"] == split] for name, values in columns.items()}
        estimates = {k: v for metric in metrics.values() for k, v in metric(mine, levels).items()}
        result[str(split)] = {name: estimate.as_dict() for name, estimate in estimates.items()}
    return result
