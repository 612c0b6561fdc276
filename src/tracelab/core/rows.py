"""Dataclasses of columns as tables: take rows of all columns at once, or join tables.

A column is an array, a Ragged, a mapping of columns or another such dataclass; what is none of these
(names of levels, say) belongs to the whole table and is kept from the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from tracelab.core.ragged import Integers, Ragged

T = TypeVar("T")


def take(table: T, rows: Integers) -> T:
    """The given rows, in the given order."""
    return _each(lambda columns: columns[0].take(rows), lambda arrays: arrays[0][rows], [table])


def concat(tables: Sequence[T]) -> T:
    """All rows of all tables, in order."""
    return _each(Ragged.concat, np.concatenate, tables)


def _each(on_ragged: Any, on_array: Any, values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Ragged):
        return on_ragged(values)
    if isinstance(first, np.ndarray):
        return on_array(values)
    if isinstance(first, Mapping):
        return {k: _each(on_ragged, on_array, [value[k] for value in values]) for k in first}
    if is_dataclass(first) and not isinstance(first, type):
        columns = {
            f.name: _each(on_ragged, on_array, [getattr(value, f.name) for value in values])
            for f in fields(first)
        }
        return replace(first, **columns)
    return first
