"""Settings: what is read, and what a wrong knob is told."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tracelab.core.settings import Count, Part, Positive, Share, read, settings, typed


@settings
class Inner:
    size: Count
    share: Share | None = None
    rates: list[Positive] | None = None
    where: str | list[str] = "here"
    kind: Literal["a", "b"] = "a"

    def __post_init__(self):
        if self.share == 0.5:
            raise ValueError("inner.share=0.5 is neither here nor there")


@settings
class Outer:
    inner: Inner
    part: Part
    seed: int = 0


def test_what_is_given_becomes_typed():
    got = read(Outer, {"inner": {"size": 1e5, "rates": [1, 0.5]}, "part": {"_target_": "x", "n": [1]}})
    assert got == Outer(inner=Inner(size=100_000, rates=[1.0, 0.5]), part={"_target_": "x", "n": [1]})
    assert isinstance(got.inner.size, int)


def test_a_number_or_a_list_of_them_is_told_as_one():
    def sized(size: int | Sequence[int]): ...

    with pytest.raises(
        ValueError, match=r"^a\.size=five: it should be a valid integer, or it should be a list$"
    ):
        typed("a", {"size": "five"}, sized)


def test_they_are_frozen():
    with pytest.raises(AttributeError):
        Inner(size=1).size = 2


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        ({"size": 0}, "inner.size=0: it should be greater than or equal to 1"),
        ({"size": 1.5}, "inner.size=1.5: it should be a valid integer"),
        ({"size": "many"}, "inner.size=many: it should be a valid integer"),
        ({"size": 1, "share": 1.5}, "inner.share=1.5: it should be less than or equal to 1"),
        ({"size": 1, "rates": [1, 0]}, "inner.rates.1=0: it should be greater than 0"),
        ({"size": 1, "where": 3}, "inner.where=3: it should be a valid string; inner.where=3: it should be"),
        ({"size": 1, "kind": "c"}, "inner.kind=c: it should be 'a' or 'b'"),
        ({"size": 1, "shape": 2}, "inner.shape is no knob; did you mean share?"),
        ({"size": 1, "share": 0.5}, "inner.share=0.5 is neither here nor there"),
        ({}, "inner.size is missing"),
    ],
)
def test_what_is_wrong_is_said(inner, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        read(Outer, {"inner": inner, "part": {}})


def test_every_fault_is_named():
    says = r"inner\.size=0.*part is missing.*sed is no knob; did you mean seed"
    with pytest.raises(ValueError, match=says):
        read(Outer, {"inner": {"size": 0}, "sed": 1})


@dataclass
class Component:
    ends: int | Sequence[int] = 1
    ranges: Sequence[Sequence[int]] = ()
    shares: Sequence[float] | None = None
    far: Mapping[str, int] | None = None
    changes: Sequence[Mapping[str, Any]] = ()


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({"ends": [10, 1e2]}, {"ends": [10, 100]}),
        ({"ends": 1e2}, {"ends": 100}),
        ({"ranges": [[1, 5e1], [2.0, 3]]}, {"ranges": [[1, 50], [2, 3]]}),
        ({"shares": [0, 1]}, {"shares": [0.0, 1.0]}),
        ({"far": {"side": 1e1}}, {"far": {"side": 10}}),
        ({"changes": [{"ends": [1, 5e1], "name": "1"}]}, {"changes": [{"ends": [1, 5e1], "name": "1"}]}),
    ],
)
def test_numbers_within_lists_are_of_the_type_that_is_due(given, due):
    """What says nothing of its type stays as it is."""
    assert repr(typed("task", given, Component)) == repr(due)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ends": ["1", "50"]}, "task.ends.0=1: it should be a number, not text, true or false"),
        ({"ends": [True, 5]}, "task.ends.0=True: it should be a number, not text, true or false"),
        ({"ranges": [[1, 2], [1, "2"]]}, "task.ranges.1.1=2: it should be a number, not text"),
        ({"shares": [0.5, False]}, "task.shares.1=False: it should be a number, not text, true or false"),
        ({"far": {"side": "10"}}, "task.far=10: it should be a number, not text, true or false"),
        ({"ends": [1, 10**30]}, f"task.ends.1={10**30}: it should be below {2**63}"),
        ({"ends": 1e19}, f"task.ends=1e+19: it should be below {2**63}"),
        ({"ends": -1e19}, f"task.ends=-1e+19: it should be below {2**63}"),
        ({"ranges": [[1, 2.5]]}, "task.ranges.0.1=2.5: it should be a valid integer"),
    ],
)
def test_what_is_no_number_within_lists_is_said(given, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        typed("task", given, Component)
