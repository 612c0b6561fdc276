"""What is counted of outcomes, against known places, counters and direct enumeration."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from tracelab.core.counting import before_error, share_before_error, vote

# --- before the first error ----------------------------------------------------------------------------


def test_places_of_first_errors_that_are_known():
    passes = [True, False, False, False, False, False]
    at, steps = [-1, 0, 3, 8, 9, 0], [8, 8, 8, 8, 8, 0]
    assert before_error(passes, at, steps).tolist() == [1, 0, 3 / 8, 8 / 9, 8 / 9, 0]
    missing = np.array([np.nan, 0, 3, 8, 9, 0])  # as a column with nulls has it
    assert before_error(passes, missing, steps).tolist() == [1, 0, 3 / 8, 8 / 9, 8 / 9, 0]


def test_only_a_trace_without_an_error_is_whole():
    """And a later error leaves a larger share, also one behind all steps that parse."""
    at, steps = np.arange(7), np.full(7, 6)
    shares = before_error([False] * 7, at, steps)
    assert (np.diff(shares) > 0).all()
    assert shares[-1] < 1


def test_the_mean_share_before_an_error_stays_a_share():
    value, low, high = share_before_error([True, True, True, False], [-1, -1, -1, 1], [4] * 4, range(4))
    assert value == (3 + 1 / 4) / 4
    assert 0 <= low < value < high == 1


# --- votes -----------------------------------------------------------------------------------------------


def test_votes_that_are_known():
    """A majority; a tie of a right and a wrong answer; one of three of which two are right; one vote."""
    ballots = {"a": "xxy", "b": "xy", "c": "xyz", "d": "y"}
    right = {"a": "x", "b": "x", "c": "xy", "d": "x"}
    rows = [(ballot, answer) for ballot, answers in ballots.items() for answer in answers]
    given, chance = vote(*zip(*rows, strict=True), [answer in right[ballot] for ballot, answer in rows])
    assert given.tolist() == [2 / 3, 1 / 2, 1 / 3, 1]
    assert chance.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 0])


def test_nobody_votes():
    assert [len(part) for part in vote([], [], [])] == [0, 0]


def test_votes_in_any_order_are_those_of_counters():
    draw = np.random.default_rng(3)
    ballot, answer = draw.integers(0, 40, 600), draw.integers(0, 5, 600).astype(np.uint64) * 2**62
    right = (answer + ballot.astype(np.uint64)) % 3 == 0
    given, chance = vote(ballot, answer, right)
    for place, one in enumerate(np.unique(ballot)):
        counts = Counter(answer[ballot == one].tolist())
        winners = [a for a, n in counts.items() if n == max(counts.values())]
        assert given[place] == max(counts.values()) / (ballot == one).sum()
        assert chance[place] == pytest.approx(np.mean([(a + int(one)) % 3 == 0 for a in winners]))


def test_two_votes_say_what_one_says():
    """Ties are broken by lot: of two samples the majority is right as often as one is."""
    answers = np.random.default_rng(4).integers(0, 4, 9)
    pairs = np.array(list(combinations(range(9), 2)))
    ballot = np.repeat(np.arange(len(pairs)), 2)
    given = answers[pairs.ravel()]
    assert vote(ballot, given, given == 1)[1].mean() == pytest.approx((answers == 1).mean())
