"""Verdicts on anybody's completions: of a file, with outcomes and figures as a run has them, or of a list.

    file = judge_file(Maze(size=30), "completions.jsonl", "outcomes.parquet")
    table = verify(Maze(size=30), ["query start ...", ...], ["reasoning create ...", ...])

Each problem is solved once for all its completions in a piece. No torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tracelab.core.files import whole
from tracelab.core.ragged import Integers, Ragged
from tracelab.core.types import Examples, Task, Verdicts
from tracelab.core.waiting import waiting
from tracelab.data.completions import Asked, Names, asked, completion_tokens, pieces, read_completions
from tracelab.data.reading import Fault, Readable, check_whole, fault, note, readable, solved, told
from tracelab.decoding.completions import Completions
from tracelab.evaluation.outcomes import Judged, metrics_of, table_of, verdict_columns
from tracelab.metrics.base import Metric

Problems = Sequence[str | Sequence[int] | Integers]  # prompts, as words or token ids
Texts = Sequence[str | Sequence[int] | Integers] | Ragged
Blame = Callable[[int, object], None]  # line or place, reason
ENOUGH = 1_000  # problems that say whether a file's are such as the task has
NAMED = 20  # lines left out that are named where people read
ENDINGS = (".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow", ".feather", ".txt")  # of names of files
LISTS = ("completion", "problem")  # columns of outcomes that no figure needs


@dataclass(frozen=True)
class JudgedFile:
    """What came of a file: completions judged, the lines left out, test set -> metric -> estimate.

    left_out: metrics that refuse these outcomes, and why.
    """

    judged: int
    faults: list[Fault]
    metrics: dict[str, dict[str, Any]]
    left_out: dict[str, str]


def judge_file(
    task: Task,
    path: str | Path,
    output: str | Path,
    names: Names | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> JudgedFile:
    """Judge the completions of a file, a piece at a time, and write their outcomes.

    names: of its fields. ValueError if the file is damaged, or the task has no problems such as these, or
    nothing in it could be judged: then nothing is written. Outcomes are, before metrics are asked.
    """
    name, faults, places = name_of(path), list[Fault](), _Places()
    labels = {"run": name, "task": task.name, "split": name}
    count, writer, distinct = 0, None, _Distinct(path, task)

    def blame(number: int, reason: object) -> None:
        note(faults, path, number, reason)

    with whole(Path(output)) as partial, waiting("Judging completions") as done:
        try:
            for rows in read_completions(path, task, names or Names(), faults):
                for examples, kept in with_problems(readable(task), rows, blame):
                    distinct.add(examples)
                    table = _outcomes(task, examples, kept, places, labels)
                    writer = writer or pa.parquet.ParquetWriter(partial, table.schema, compression="zstd")
                    writer.write_table(table)
                    count += len(kept)
                    done(len(kept))
            distinct.check()
        finally:
            if writer:
                writer.close()
        faults.sort(key=lambda left_out: left_out.line)
        if not count:
            why = f"none of its lines could be judged\n{told(faults, NAMED)}" if faults else "it is empty"
            raise ValueError(f"{path}: {why}")
    return JudgedFile(count, faults, *_figures(_scalars(Path(output)), metrics or {}, task.levels))


def _figures(
    table: pa.Table, metrics: Mapping[str, Metric], levels: tuple[str, ...]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Test set -> metric -> estimate; the metrics that refuse these outcomes, and why."""
    estimates = metrics_of(table, {}, levels)
    left_out = {}
    for name, metric in metrics.items():
        try:
            found = metrics_of(table, {name: metric}, levels)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        for split, its in found.items():
            estimates[split].update(its)
    return estimates, left_out


class _Distinct:
    """Problems that were read of a file, each once: are they such as the task has?"""

    def __init__(self, path: str | Path, task: Task) -> None:
        self._path, self._task = path, task
        self._seen, self._some = set[int](), list[Examples]()

    def add(self, examples: Examples) -> None:
        """Ask once there are enough of them, and not again. ValueError if they are not."""
        if len(self._seen) >= ENOUGH:
            return
        new = [i for i, key in enumerate(examples.identity.tolist()) if key not in self._seen]
        self._seen.update(examples.identity.tolist())
        self._some.append(examples.take(np.array(new, np.int64)))
        if len(self._seen) >= ENOUGH:
            check_whole(self._path, self._task, Examples.concat(self._some))
            self._some = []

    def check(self) -> None:
        """Ask of those that there are. ValueError if they are not."""
        if self._some:
            check_whole(self._path, self._task, Examples.concat(self._some))


def name_of(path: str | Path) -> str:
    """A file's name without what it ends with: `a.v2` of `in/a.v2.jsonl.gz`, and of `a.v2`."""
    name = Path(path).name.removesuffix(".gz")
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def verify(task: Task, problems: Problems | Examples, completions: Texts) -> pa.Table:
    """Verdicts on completions, one row each in their order; see `tracelab.verify`."""
    if len(problems) != len(completions):
        raise ValueError(f"{len(completions)} completions of {len(problems)} problems: give one of each")
    n = len(completions)
    verdicts, faults = _blank(n, len(task.levels)), dict[int, str]()

    def blame(number: int, reason: object) -> None:
        faults[number] = fault("", number, reason).reason

    for examples, rows in _given(task, problems, completions, blame):
        places = [row.number for row in rows]
        found = task.judge(examples, Ragged.of([row.completion for row in rows]))
        for field in fields(Verdicts):
            getattr(verdicts, field.name)[places] = getattr(found, field.name)
    missing = np.isin(np.arange(n), list(faults))
    reasons = pa.array([faults.get(i) for i in range(n)], pa.string())
    return pa.table({**verdict_columns(verdicts, task, missing), "not_judged": reasons})


def with_problems(task: Readable, rows: Sequence[Asked], blame: Blame) -> list[tuple[Examples, list[Asked]]]:
    """Rows with their problems and these' reference searches, example i that of row i."""
    same: dict[bytes, list[Asked]] = {}
    for row in rows:
        same.setdefault(row.problem.tobytes(), []).append(row)

    def blame_all(number: int, reason: object) -> None:
        for row in same[first[number]]:
            blame(row.number, reason)

    first = {group[0].number: key for key, group in same.items()}
    parts = []
    for examples, firsts in solved(task, [group[0] for group in same.values()], blame_all):
        groups = [same[row.problem.tobytes()] for row in firsts]
        order = sorted((row.number, k, row) for k, group in enumerate(groups) for row in group)
        parts.append((examples.take(np.array([k for _, k, _ in order])), [row for _, _, row in order]))
    return parts


class _Places:
    """Where each problem stood first, and how often it was met: its index, and its completions' samples."""

    def __init__(self) -> None:
        self.met: dict[bytes, list[int]] = {}

    def of(self, row: Asked) -> tuple[int, int]:
        """(index of the problem, which of its completions this is)."""
        key = hashlib.blake2b(row.problem.tobytes(), digest_size=16).digest()
        place = self.met.setdefault(key, [len(self.met), 0])
        place[1] += 1
        return place[0], place[1] - 1


def _outcomes(
    task: Task, examples: Examples, rows: list[Asked], places: _Places, labels: Mapping[str, Any]
) -> pa.Table:
    """Rows judged, as outcomes with their lines. Nobody knows their log-probabilities."""
    tokens = Ragged.of([row.completion for row in rows])
    index, sample = np.array([places.of(row) for row in rows], np.int64).T
    placed = Examples(**{**vars(examples), "index": index})
    truncated = np.array([task.codec.stop not in row.completion for row in rows])
    unknown = np.full(len(rows), np.nan, np.float32)
    completions = Completions(tokens, truncated, unknown, Ragged.of([[]] * len(rows), np.float32))
    table = table_of(Judged(placed, completions, task.judge(examples, tokens), sample), task, labels)
    place = table.column_names.index("mean_logprob")
    table = table.set_column(place, "mean_logprob", pa.nulls(len(rows), pa.float32()))
    return table.append_column("line", pa.array([row.number for row in rows]))


def _given(
    task: Task, problems: Problems | Examples, completions: Texts, blame: Blame
) -> Iterator[tuple[Examples, list[Asked]]]:
    """What was given to `verify`, some at a time, with solved problems."""
    if isinstance(problems, Examples):
        solved_ones, none = problems, np.empty(0, np.int16)
        rows = _asked(completions, blame, lambda i, c: Asked(i, none, completion_tokens(task.codec, c)))
        yield from (
            (solved_ones.take(np.array([row.number for row in piece])), piece) for piece in pieces(rows)
        )
        return
    prompts, reader = problems, readable(task)
    for piece in pieces(_asked(completions, blame, lambda i, c: asked(reader, i, prompts[i], c))):
        yield from with_problems(reader, piece, blame)


def _asked(completions: Texts, blame: Blame, row: Callable[[int, Any], Asked]) -> Iterator[Asked]:
    for i, completion in enumerate(completions):
        try:
            yield row(i, completion)
        except ValueError as error:
            blame(i, error)


def _blank(n: int, levels: int) -> Verdicts:
    return Verdicts(
        np.zeros(n, np.bool_),
        np.zeros(n, np.bool_),
        np.zeros(n, np.uint8),
        np.zeros((n, levels), np.uint8),
        np.zeros((n, levels), np.int32),
        np.zeros(n, np.int32),
    )


def _scalars(path: Path) -> pa.Table:
    """The outcomes of a file without its lists."""
    with pa.parquet.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name not in LISTS]
        return file.read(columns=names)
