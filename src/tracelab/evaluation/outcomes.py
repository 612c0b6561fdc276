"""Outcomes: one row per completion, the table that every metric, figure and report reads.

table = pyarrow.parquet.read_table("runs/.../outcomes.parquet")
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tracelab.core.arrays import Flags
from tracelab.core.files import whole
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples, Task, Verdicts
from tracelab.runs import stamps

if TYPE_CHECKING:
    from tracelab.core.codec import Codec
    from tracelab.decoding.completions import Completions
    from tracelab.metrics.base import Metric
    from tracelab.runs.folder import Run


@dataclass(frozen=True)
class Judged:
    """Completions of a test set's problems with their verdicts, in arrays of n."""

    examples: Examples
    completions: Completions
    verdicts: Verdicts
    sample: np.ndarray[Any, np.dtype[np.int64]]


def table_of(judged: Judged, task: Task, labels: Mapping[str, Any]) -> pa.Table:
    """The outcomes of one test set. `labels` (run, treatment, seed ...) are the same in all rows.

    solution_hash, trace_hash: equal where the tokens of that part are. Per trace level: `trace_<level>`
    (bool), `trace_<level>_reason`, `trace_<level>_at` (first bad step, null where it passes). trace_steps,
    reference_steps: steps; prompt_tokens, completion_tokens: tokens. Of a completion, hashes and length are
    of what ends with its first stop word.
    """
    examples, verdicts, completions = judged.examples, judged.verdicts, judged.completions
    ended = _ended(completions.tokens, task.codec.stop)
    n = len(examples)
    columns: dict[str, Any] = {name: pa.array([value] * n) for name, value in labels.items()}
    columns |= {
        "problem_key": examples.identity,
        "index": examples.index,
        "sample": judged.sample,
        **_hashes(ended, task.codec),
        **verdict_columns(verdicts, task),
        "reference_steps": examples.trace.lengths,
        "prompt_tokens": task.prompts(examples).lengths,
        "completion_tokens": ended.lengths,
        "truncated": completions.truncated,
        "mean_logprob": completions.mean_logprob,
        "completion": _lists(completions.tokens, np.int32),
        "problem": _lists(examples.problem, np.int32),
    }
    columns |= dict(examples.complexity)
    return pa.table(columns)


def verdict_columns(verdicts: Verdicts, task: Task, missing: Flags | None = None) -> dict[str, pa.Array]:
    """The verdicts as columns; see `table_of`. missing: (n,) completions without a verdict, whose is null."""
    no = np.zeros(len(verdicts.steps), np.bool_) if missing is None else missing
    columns = {
        "solution_valid": pa.array(verdicts.solution_valid, mask=no),
        "solution_optimal": pa.array(verdicts.solution_optimal, mask=no),
        "solution_reason": _names(verdicts.solution_reason, task.reasons, no),
    }
    for k, level in enumerate(task.levels):
        at = verdicts.trace_at[:, k]
        columns[f"trace_{level}"] = pa.array(verdicts.trace_ok[:, k], mask=no)
        columns[f"trace_{level}_reason"] = _names(verdicts.trace_reason[:, k], task.reasons, no)
        columns[f"trace_{level}_at"] = pa.array(at, mask=no | (at < 0))
    return {**columns, "trace_steps": pa.array(verdicts.steps, mask=no)}


def _ended(tokens: Ragged, stop: int) -> Ragged:
    """Each row up to its first stop token, or all of it."""
    lengths = tokens.lengths
    (at,) = np.nonzero(tokens.values == stop)
    rows = np.searchsorted(tokens.offsets, at, side="right") - 1
    np.minimum.at(lengths, rows, at - tokens.offsets[rows] + 1)
    return tokens.between(np.zeros_like(lengths), lengths)


def _hashes(tokens: Ragged, codec: Codec) -> dict[str, np.ndarray[Any, Any]]:
    """64-bit hashes of each row before its solution, and from there on. Of a row without one: of what stands
    before the stop word, and of all of it.
    """
    hashes = np.empty((2, len(tokens)), np.uint64)
    for i, row in enumerate(tokens):
        cut = codec.solution_at(row)
        parts = (row[:cut], row[cut:]) if cut < len(row) else (row[row != codec.stop], row)
        for k, part in enumerate(parts):
            digest = hashlib.blake2b(part.astype(np.int32).tobytes(), digest_size=8).digest()
            hashes[k, i] = np.frombuffer(digest, np.uint64)[0]
    return {"trace_hash": hashes[0], "solution_hash": hashes[1]}


def _names(codes: np.ndarray[Any, Any], names: tuple[str, ...], missing: Flags) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8), mask=missing), pa.array(names))


def _lists(rows: Ragged, dtype: type) -> pa.Array:
    return pa.LargeListArray.from_arrays(rows.offsets, rows.values.astype(dtype))


def write(
    table: pa.Table,
    path: Path,
    run: Run | None = None,
    stamp: stamps.Stamp | None = None,
    problems: int | None = None,
) -> None:
    """Write whole or not at all. run: whose model was asked; the file says how it was (`runs.stamps`).

    stamp: `runs.trained.settled` before it was asked; None: as it is now. problems: how many were asked for;
    None: as many as the run is judged on. ValueError if the run is another by now.
    """
    if run is not None:
        from tracelab.runs.trained import check_settled, stamp_of  # seconds, for torch

        stamp = stamp or stamp_of(run)
        check_settled(run, stamp)
        content = json.dumps({**stamp, **stamps.judging(run.config, problems)})
        known = {**(table.schema.metadata or {}), stamps.KEY: content.encode()}
        table = table.replace_schema_metadata(known)
    with whole(path) as partial:
        pa.parquet.write_table(table, partial, compression="zstd")


def columns_of(table: pa.Table) -> dict[str, Any]:
    """Scalar columns as NumPy arrays (nulls of integer columns become -1); lists are left out."""
    arrays = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if pa.types.is_large_list(column.type):
            continue
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if column.null_count and pa.types.is_integer(column.type):
            column = column.fill_null(-1)
        arrays[name] = column.to_numpy(zero_copy_only=False)
    return arrays


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
