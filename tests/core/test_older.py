"""Older spellings of knobs: what they say is what they said."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tracelab.core.older import reads_older


@reads_older(ood_sizes="ood.size", ood_kinds="ood.kind", largest="reach.side", most="reach.boxes")
@dataclass(frozen=True)
class Yard:
    size: int = 5
    ood: Sequence[Mapping[str, Any]] = ()
    reach: Mapping[str, int] | None = None
    name = "yard"


@pytest.mark.parametrize(
    ("older", "today", "spelled"),
    [
        ({"largest": 9}, {"reach": {"side": 9}}, "'task.reach={side: 9}'"),
        ({"largest": None}, {"reach": None}, "'task.reach=null'"),
        ({"largest": 9, "most": 2}, {"reach": {"side": 9, "boxes": 2}}, "'task.reach={side: 9, boxes: 2}'"),
        ({"most": 2, "reach": {"side": 9}}, {"reach": {"side": 9, "boxes": 2}}, "task.reach="),
        (
            {"ood_kinds": ["a"], "ood_sizes": [7, [4, 9]], "size": 6},
            {"ood": [{"size": 7}, {"size": [4, 9]}, {"kind": "a"}], "size": 6},
            "'task.ood=[{size: 7}, {size: [4, 9]}, {kind: a}]'",
        ),
        (  # a list of the older spelling takes the place of those test sets alone
            {"ood_sizes": [], "ood": [{"size": 7}, {"kind": "a"}, {"kind": "b", "size": 8}]},
            {"ood": [{"kind": "a"}, {"kind": "b", "size": 8}]},
            "'task.ood=[{kind: a}, {kind: b, size: 8}]'",
        ),
    ],
)
def test_an_older_spelling_is_read_and_todays_is_named(older, today, spelled):
    with pytest.warns(FutureWarning, match="an older spelling; write") as said:
        task = Yard(**older)
    assert task == Yard(**today)
    (warning,) = said
    text = str(warning.message)
    assert spelled in text
    assert all(f"task.{name}" in text for name in older if name not in ("ood", "reach", "size"))
    assert warning.filename == __file__


def test_todays_spelling_is_read_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Yard(6, ood=[{"size": 7}]).ood == [{"size": 7}]


def test_a_knob_of_neither_spelling_is_named():
    with pytest.raises(ValueError, match=r"task.sise: yard has no such knob; it has size, ood, reach"):
        Yard(sise=3)
