"""Rewards of completions that are made up, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from tracelab.rewards.base import Graded
from tracelab.rewards.length import Length
from tracelab.rewards.trace import Trace


def test_a_completion_costs_what_it_is_longer_than_the_reference():
    """Beyond what is free, up to a cap; one that was cut off costs the cap."""
    cut = np.array([False, False, False, False, True])
    given = Graded(None, (), np.array([10, 15, 20, 40, 12]), cut, np.full(5, 10))
    assert Length(free=1.5, cap=1.0)(given).tolist() == [0, 0, -0.5, -1, -1]
    assert Length(free=1.0, cap=0.3)(given).tolist() == pytest.approx([0, -0.3, -0.3, -0.3, -0.3])


def test_a_process_is_rewarded_for_its_good_steps():
    """Good ones of n, over n + 1: less than 1 also where all n are good and the end is not."""
    ok, at = np.array([[True], [False], [False], [False], [False]]), np.array([[-1], [2], [0], [4], [0]])
    verdicts = SimpleNamespace(trace_ok=ok, trace_at=at, steps=np.array([4, 4, 4, 4, 0]))
    given = Graded(verdicts, ("strict",), np.zeros(5), np.zeros(5, np.bool_), np.ones(5))
    assert Trace(process=True)(given).tolist() == pytest.approx([1, 2 / 5, 0, 4 / 5, 0])
    assert Trace()(given).tolist() == [1, 0, 0, 0, 0]
