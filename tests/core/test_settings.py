"""Settings: what is read, and what a wrong knob is told."""

import re
from typing import Literal

import pytest

from tracelab.core.settings import Count, Part, Positive, Share, read, settings


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
