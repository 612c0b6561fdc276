"""Ragged rows against lists of lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelab.core.ragged import Ragged, offsets_of

ROWS = st.lists(st.lists(st.integers(-5, 5), max_size=5), max_size=8)


def as_lists(ragged):
    return [row.tolist() for row in ragged]


@given(ROWS, st.data())
def test_like_a_list_of_lists(rows, data):
    ragged = Ragged.of(rows)
    assert as_lists(ragged) == rows
    assert len(ragged) == len(rows)
    assert ragged.lengths.tolist() == [len(row) for row in rows]
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(start, len(rows)))
    assert as_lists(ragged.slice(start, stop)) == rows[start:stop]
    assert as_lists(Ragged.concat([ragged, ragged.slice(start, stop)])) == rows + rows[start:stop]
    if rows:
        chosen = data.draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=9))
        assert as_lists(ragged.take(np.array(chosen, np.int64))) == [rows[k] for k in chosen]
        assert [ragged[k].tolist() for k in chosen] == [rows[k] for k in chosen]


@given(ROWS.filter(len), st.data())
def test_replace(rows, data):
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), unique=True))
    others = [[k] * k for k in range(len(places))]
    expected = list(rows)
    for place, other in zip(places, others, strict=True):
        expected[place] = other
    changed = Ragged.of(rows).replace(np.array(places, np.int64), Ragged.of(others))
    assert as_lists(changed) == expected


def test_matrices_as_rows():
    values = np.arange(12).reshape(6, 2)
    ragged = Ragged(values, offsets_of([1, 0, 3, 2]))
    assert ragged.take(np.array([2, 0]))[0].tolist() == values[1:4].tolist()
    assert ragged[1].shape == (0, 2)
    assert Ragged.concat([ragged, ragged])[6].tolist() == values[1:4].tolist()


def test_no_row_outside():
    ragged = Ragged.of([[1], [2]])
    for i in (2, -3):
        with pytest.raises(IndexError, match="of 2"):
            ragged[i]
        with pytest.raises(IndexError):
            ragged.take(np.array([i]))


def test_stack():
    rows = [np.arange(6).reshape(3, 2), np.empty((0, 2), np.int32), np.ones((1, 2), np.int32)]
    stacked = Ragged.stack(rows, 2)
    assert [row.tolist() for row in stacked] == [row.tolist() for row in rows]
    assert Ragged.stack([], 3).values.shape == (0, 3)
