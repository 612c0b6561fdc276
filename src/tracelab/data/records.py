"""Records of files that others wrote: JSON lines, Parquet or Arrow, one at a time, in bounded memory.

for number, record, why_not in records_of("completions.parquet"):
    ...

What a file is, its first bytes say, whatever its name. JSON may be plain or gzip, in UTF-8 or UTF-16.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from tracelab.data.lines import LONGEST, lines_of
from tracelab.data.memory import within

PARQUET, ARROW = b"PAR1", b"ARROW1"
ROWS = 256  # of a table that are in memory at a time
ROOM = 1 << 30  # bytes that so many rows, and the reader, may take
LARGEST = 4 * LONGEST  # bytes of a row

Record = tuple[int, Any, str]  # number from 1; what stands there; why it could not be read, or ""
UNREADABLE = (pa.ArrowException, ValueError, OverflowError, LookupError, ImportError)


class Row(Mapping[str, Any]):
    """A row of a table. Fields are read as they are asked for: others may be what Python cannot hold."""

    def __init__(self, batch: pa.RecordBatch, place: int) -> None:
        self._batch, self._place = batch, place

    def __getitem__(self, name: str) -> Any:
        """A field's value. KeyError if there is none, ValueError if it cannot be read."""
        columns = self._batch.schema.get_all_field_indices(name)
        if not columns:
            raise KeyError(name)
        if len(columns) > 1:
            raise ValueError(f"it has {len(columns)} fields {name!r}: leave one, or rename them")
        try:
            return self._batch.column(columns[0])[self._place].as_py()
        except UnicodeDecodeError as error:
            raise ValueError(f"not text in UTF-8: {error.reason}") from None
        except UNREADABLE as error:
            raise ValueError(f"its field {name!r} cannot be read: {error}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._batch.schema.names

    def __iter__(self) -> Iterator[str]:
        return iter(self._batch.schema.names)

    def __len__(self) -> int:
        return len(self._batch.schema.names)


def records_of(path: str | Path) -> Iterator[Record]:
    """The records of a file, a line or row each. ValueError with its place where the file is damaged."""
    with open(path, "rb") as file:
        begins = file.read(len(ARROW))
    if begins.startswith(PARQUET):
        return _rows(path, _parquet)
    return _rows(path, _arrow) if begins == ARROW else _lines(path)


def _lines(path: str | Path) -> Iterator[Record]:
    for number, line, why_not in lines_of(path):
        if why_not:
            yield number, None, why_not
            continue
        try:
            yield number, json.loads(line), ""
        except (ValueError, RecursionError) as error:
            yield number, None, f"no JSON: {error}"


def _rows(path: str | Path, batches: Any) -> Iterator[Record]:
    number = 0
    try:
        for batch in within(ROOM, batches(path)):
            large = batch.nbytes > LARGEST
            for i in range(len(batch)):
                number += 1
                if large and batch.slice(i, 1).nbytes > LARGEST:
                    yield number, None, f"longer than {LARGEST:,} bytes"
                    continue
                yield number, Row(batch, i), ""
    except MemoryError:
        reason = f"the rows from here on take more than {ROOM >> 20:,} MiB to read, {ROWS} at a time"
        raise ValueError(f"{path}, row {number + 1}: {reason}; no more can be judged") from None
    except (pa.ArrowException, OSError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}, row {number + 1}: the file is damaged from here on ({reason})") from None


def _parquet(path: str | Path) -> Iterator[pa.RecordBatch]:
    streamed = {"pre_buffer": False, "buffer_size": 1 << 20}  # in place of a whole group of rows at once
    with pa.parquet.ParquetFile(path, page_checksum_verification=True, **streamed) as file:
        yield from file.iter_batches(batch_size=ROWS, use_threads=False)


def _arrow(path: str | Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        for k in range(file.num_record_batches):
            batch = file.get_batch(k)
            batch.validate(full=True)
            for start in range(0, len(batch), ROWS):
                yield batch.slice(start, ROWS)
