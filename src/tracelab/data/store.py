"""Data sets on disk: Arrow files that are written once, memory-mapped, and never half there.

A set is columns by name, flat arrays and ragged ones. A file's name carries the hash of what the set
was made of and the SHA-256 of the file, which is verified before anything is read. A file appears
under its name by an atomic rename, when it is whole: two processes may build a set at once, and the
last rename replaces a file by its equal. Anything that reads Arrow IPC files reads these:

    polars.read_ipc(path); datasets.load_dataset("arrow", data_files=str(path))
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.core.files import whole
from tracelab.core.paths import cache_home, not_kept
from tracelab.core.ragged import Ragged
from tracelab.core.sources import hash_of, sources_hash, versions

VERSION = 1  # of the layout of files
HERE = Path(__file__).parent
DECIDE = [
    (HERE, HERE / name) for name in ("frozen.py", "workers.py")
]  # which draws a set has, in which order
Columns = Mapping[str, NDArray[Any] | Ragged]


def cached(
    name: str, made_of: Mapping[str, Any], build: Callable[[], Columns], classes: Sequence[type] = ()
) -> Columns:
    """The set that was made of this before, or a new one; with any other code it is made anew.

    It is made anew, too, if its file is damaged, and is not kept where nothing can be written. classes: whose
    code it is of; what is not tracelab's may have changed, and is not kept if its sources are no files.
    """
    others = versions(kind.__module__ for kind in classes)
    if others is None:
        return build()
    code = {"code": [sources_hash(), hash_of(DECIDE)], "of others": others, "version": VERSION}
    key = json.dumps({**made_of, **code}, sort_keys=True, default=list)
    stem = f"{name}-{digest(key.encode())}"
    kept = _kept(stem)
    if kept is not None:
        return kept
    columns = build()
    try:
        return read(write(cache_home() / "data", stem, columns, key))
    except OSError as error:
        not_kept(error)
        return columns


def _kept(stem: str) -> Columns | None:
    """The set of this name that is in the cache, if one is that can be read."""
    try:
        found = sorted((cache_home() / "data").glob(f"{escape(stem)}.*.arrow"))
        return read(found[0]) if found else None
    except OSError:  # what is wrong is said when the new one cannot be kept
        return None
    except ValueError as error:
        warnings.warn(f"problems are drawn anew: {error}", stacklevel=3)
        return None


def description(thing: Any) -> dict[str, Any]:
    """A task or a treatment as JSON: its class and its knobs."""
    knobs = {f.name: getattr(thing, f.name) for f in fields(thing) if f.init}
    return {"class": f"{type(thing).__module__}.{type(thing).__qualname__}", **knobs}


def digest(*parts: bytes | NDArray[Any]) -> str:
    """16 hexadecimal digits that stand for the parts."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return sha.hexdigest()[:16]


def write(folder: Path, stem: str, columns: Columns, made_of: str = "") -> Path:
    """Write a set to <folder>/<stem>.<checksum>.arrow -> the path."""
    return _write(folder, columns, made_of, lambda partial: f"{stem}.{_checksum(partial)}.arrow")


def save(path: Path, columns: Columns) -> None:
    """Write a set under a name of the user's choice, whole or not at all."""
    _write(path.parent, columns, "", lambda _: path.name)


def table_of(columns: Columns) -> pa.Table:
    """A set as an Arrow table."""
    return pa.Table.from_batches([_batch(columns, "")])


def _batch(columns: Columns, made_of: str) -> pa.RecordBatch:
    arrays = {name: _to_arrow(values) for name, values in columns.items()}
    schema = pa.schema([(name, a.type) for name, a in arrays.items()], metadata={"tracelab": made_of})
    return pa.record_batch(list(arrays.values()), schema=schema)


def _write(folder: Path, columns: Columns, made_of: str, name_of: Callable[[Path], str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    batch = _batch(columns, made_of)
    path = folder

    def named(partial: Path) -> Path:
        nonlocal path
        path = folder / name_of(partial)
        return path

    with (
        whole(folder / "set", named) as partial,
        pa.OSFile(str(partial), "wb") as sink,
        pa.ipc.new_file(sink, batch.schema) as writer,
    ):
        writer.write_batch(batch)
    return path


def read(path: Path) -> Columns:
    """A set, memory-mapped: pages are read when they are used, and changes stay in memory.

    ValueError if the file's content does not have the checksum in its name.
    """
    if _checksum(path) != path.stem.rpartition(".")[2]:
        raise ValueError(
            f"{path} is damaged: its content is not what was written. Delete it; it is made anew when needed"
        )
    file = np.memmap(path, np.uint8, mode="c").view(np.ndarray)
    try:
        batch = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(file))).get_batch(0)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{path} is no Arrow file ({error}): delete it; it is made anew when needed"
        ) from error
    return {name: _from_arrow(batch.column(name), file) for name in batch.schema.names}


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _to_arrow(column: NDArray[Any] | Ragged) -> pa.Array:
    if not isinstance(column, Ragged):
        return pa.array(column)
    values = pa.array(column.values.reshape(-1))
    if column.values.ndim == 2:
        values = pa.FixedSizeListArray.from_arrays(values, column.values.shape[1])
    return pa.LargeListArray.from_arrays(pa.array(column.offsets), values)


def _from_arrow(array: pa.Array, file: NDArray[np.uint8]) -> NDArray[Any] | Ragged:
    """The arrays within the mapped file, without a copy (bits alone are unpacked)."""
    if pa.types.is_large_list(array.type):
        offsets = _within(file, array.buffers()[1], np.int64)
        values = array.values
        if pa.types.is_fixed_size_list(values.type):
            width = values.type.list_size
            return Ragged(_flat(values.flatten(), file).reshape(-1, width), offsets)
        return Ragged(_flat(values, file), offsets)
    return _flat(array, file)


def _flat(array: pa.Array, file: NDArray[np.uint8]) -> NDArray[Any]:
    if pa.types.is_boolean(array.type):
        bits: NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return bits
    return _within(file, array.buffers()[1], array.type.to_pandas_dtype())


def _within(file: NDArray[np.uint8], buffer: pa.Buffer | None, dtype: Any) -> NDArray[Any]:
    """An Arrow buffer as an array of the mapped file's own memory, so that it may be written to.

    (Arrow gives out read-only arrays, for which every kernel would have to be compiled again.)
    """
    if buffer is None or buffer.size == 0:
        return np.empty(0, dtype)
    start = buffer.address - file.ctypes.data
    return file[start : start + buffer.size].view(dtype)
