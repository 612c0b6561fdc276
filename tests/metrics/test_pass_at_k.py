"""pass@k and maj@k against direct enumeration of all subsets, and the coverage of their intervals."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from tracelab.metrics.pass_at_k import PassAtK, by_problem, majority_at_k, pass_at_k
from tracelab.metrics.solution_accuracy import SolutionAccuracy


def outcomes_of(correct, answer=None):
    """Columns of problems' samples, (problems, samples), in an order of their own."""
    problems, samples = correct.shape
    mixed = np.random.default_rng(0).permutation(correct.size)
    columns = {
        "index": np.repeat(np.arange(problems), samples),
        "problem_key": np.repeat(np.arange(problems, dtype=np.uint64) * 7, samples),
        "sample": np.tile(np.arange(samples), problems),
        "solution_valid": correct.ravel(),
        "solution_optimal": correct.ravel(),
        "truncated": ~correct.ravel(),
        "solution_hash": (correct if answer is None else answer).ravel().astype(np.uint64),
    }
    return {name: values[mixed] for name, values in columns.items()}


@pytest.mark.parametrize("k", range(1, 7))
def test_pass_at_k_is_the_mean_over_all_subsets(k):
    right = np.arange(7)
    samples = np.arange(6) < right[:, None]
    wanted = [np.mean([row[list(chosen)].any() for chosen in combinations(range(6), k)]) for row in samples]
    np.testing.assert_allclose(pass_at_k(6, right, k), wanted, atol=1e-12)
    closed = [1 - comb(6 - c, k) / comb(6, k) for c in right]
    np.testing.assert_allclose(pass_at_k(6, right, k), closed, atol=1e-12)


def test_maj_at_k_is_near_the_mean_over_all_subsets():
    """Exactly it, where all samples vote."""
    answer = np.random.default_rng(1).integers(0, 3, (5, 8))
    correct = answer == 1
    for k in (3, 8):
        wanted = []
        for row in answer:
            counts = np.array([np.bincount(row[list(s)], minlength=3) for s in combinations(range(8), k)])
            winners = counts == counts.max(1, keepdims=True)
            wanted.append((winners[:, 1] / winners.sum(1)).mean())
        found = majority_at_k(correct, answer.astype(np.uint64), k, subsets=4000)
        np.testing.assert_allclose(found, wanted, atol=1e-12 if k == 8 else 0.03)


def test_one_try_is_the_accuracy():
    """With its interval; and a certain pass is no certainty."""
    correct = np.random.default_rng(2).random((40, 8)) < np.linspace(0.2, 1, 40)[:, None]
    found, accuracy = PassAtK()(outcomes_of(correct), ()), SolutionAccuracy()(outcomes_of(correct), ())
    ends = [(one.value, one.low, one.high) for one in (found["pass@1"], accuracy["solution_valid"])]
    assert ends[0] == pytest.approx(ends[1])
    assert list(found) == ["pass@1", "pass@2", "pass@4", "pass@8", "maj@4", "maj@8"]
    sure = PassAtK()(outcomes_of(np.ones((40, 4), bool)), ())["pass@4"]
    assert sure.value == sure.high == 1
    assert sure.low < 1
    assert PassAtK()(outcomes_of(np.ones((40, 1), bool)), ()) == {}


def test_problems_come_together_whatever_the_order():
    correct = np.random.default_rng(3).random((6, 4)) < 0.5
    found, answer, keys = by_problem(outcomes_of(correct))
    np.testing.assert_array_equal(found, correct)
    np.testing.assert_array_equal(answer, correct)
    assert keys.tolist() == [0, 7, 14, 21, 28, 35]


def test_unequal_numbers_of_samples_are_refused():
    columns = outcomes_of(np.ones((3, 4), bool))
    with pytest.raises(ValueError, match=r"between 3 \(index 2\) and 4 \(index 0\) samples"):
        by_problem({name: values[1:] for name, values in columns.items()})


@pytest.mark.parametrize("easy", [0.2, 2.0])
def test_intervals_cover(easy):
    """64 problems of beta distributed difficulty, 8 samples each; nominal 95 %."""
    draw, times = np.random.default_rng(4), 400
    truth = {k: 1 - _never(easy, k) for k in (1, 4, 8)}
    hits = dict.fromkeys(truth, 0)
    for _ in range(times):
        chance = draw.beta(easy, 1.0, 64)
        correct = draw.random((64, 8)) < chance[:, None]
        found = PassAtK(subsets=1)(outcomes_of(correct), ())
        for k in truth:
            hits[k] += found[f"pass@{k}"].low <= truth[k] <= found[f"pass@{k}"].high
    assert all(0.91 <= hit / times <= 0.99 for hit in hits.values()), hits


def _never(easy, k):
    """E[(1 - p)^k] of p that is Beta(easy, 1): the product of j / (easy + j)."""
    return np.prod([j / (easy + j) for j in range(1, k + 1)])
