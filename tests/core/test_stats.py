"""Shares, means and the 2x2 table against closed forms and libraries; coverage: tests/analysis."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats as theirs
from statsmodels.api import OLS

from tracelab.core.stats import cells, clustered, mean, phi, phi_of, ratio, share, wilson

# --- the 2x2 table ------------------------------------------------------------------------------------


def test_each_pair_is_in_its_cell():
    assert cells([True, True, False, False], [True, False, True, False]).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ((10, 0, 0, 10), 1.0),
        ((0, 10, 10, 0), -1.0),
        ((10, 30, 20, 60), 0.0),  # the rows are proportional
        ((6, 2, 1, 3), (6 * 3 - 2 * 1) / sqrt(8 * 4 * 7 * 5)),
        ((4, 1, 3, 0), (4 * 0 - 1 * 3) / sqrt(5 * 3 * 7 * 1)),  # an empty cell, no empty margin
    ],
)
def test_phi_of_tables_that_are_known(counts, known):
    assert float(phi_of(counts)) == pytest.approx(known, abs=1e-15)
    solution = np.repeat([True, True, False, False], counts)
    trace = np.repeat([True, False, True, False], counts)
    assert phi(solution, trace) == float(phi_of(counts))
    assert np.bincount(cells(solution, trace), minlength=4).tolist() == list(counts)


@pytest.mark.parametrize("full", [(0, 2), (1, 3), (0, 1), (2, 3), (0,), ()])
def test_phi_is_unknown_where_a_margin_is_empty(full):
    assert np.isnan(phi_of([5 * (cell in full) for cell in range(4)]))


def test_tables_in_arrays():
    found = phi_of([[[10, 0, 0, 10], [5, 0, 5, 0]]])
    assert found.shape == (1, 2)
    assert found[0, 0] == 1
    assert np.isnan(found[0, 1])


# --- shares and means ----------------------------------------------------------------------------------


def test_a_share_counts_whose_each_is():
    value, low, high = share([True, False, True, True], ["b", "a", "b", "c"])
    assert (value, low, high) == (0.75, *clustered([0, 2, 1], [1, 2, 1]))
    assert share([3, 1], [7, 9], of=[4, 4]) == (0.5, *clustered([3, 1], [4, 4]))
    assert share([1.0, 0.5], [0, 1])[1:] == clustered([1.0, 0.5], [1, 1]), "of ties, each may win"
    assert share([True, False], [0, 1]) == (0.5, *(float(end) for end in wilson(1, 2)))
    assert np.isnan(share([], [])).all()
    assert np.isnan(share([0, 0], [0, 1], of=[0, 0])).all()


def test_the_mean_of_single_observations_is_the_usual_one():
    x = np.random.default_rng(0).random(50)
    half = theirs.t.ppf(0.975, 49) * theirs.sem(x)
    assert mean(x, np.arange(50)) == pytest.approx((x.mean(), x.mean() - half, x.mean() + half))


def test_the_clustered_mean_is_statsmodels():
    """Its regression on a constant with errors by cluster, but for its factor (n - 1) / (n - 1)."""
    draw = np.random.default_rng(1)
    problems = draw.integers(0, 12, 80)
    x = draw.random(80) + problems / 12
    wanted = OLS(x, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": problems})
    value, low, high = mean(x, problems)
    assert value == pytest.approx(wanted.params[0])
    assert (high - low) / 2 == pytest.approx(
        theirs.t.ppf(0.975, len(np.unique(problems)) - 1) * wanted.bse[0]
    )


def test_copies_of_an_observation_say_nothing_new():
    x = np.random.default_rng(2).random(30)
    assert mean(np.repeat(x, 8), np.repeat(np.arange(30), 8)) == pytest.approx(mean(x, np.arange(30)))


def test_the_mean_of_little():
    assert np.isnan(mean([], [])).all()
    value, low, high = mean([0.25, 0.75], [3, 3])
    assert value == 0.5
    assert np.isnan([low, high]).all(), "one problem says nothing of others"
    value, low, high = mean([0.3] * 3, [1, 2, 3])
    assert value == pytest.approx(0.3)
    assert np.isnan([low, high]).all(), "nor do three that are alike"


@pytest.mark.parametrize("n", [3, 5, 8])
def test_means_of_few_cover(n):
    """Nearly: lengths are no normal numbers."""
    draw, times = np.random.default_rng(n), 2000
    hits = [
        low <= 8 <= high for _, low, high in (mean(draw.gamma(4, 2, n), np.arange(n)) for _ in range(times))
    ]
    assert 0.9 <= np.mean(hits) <= 0.97


def test_a_ratio_of_equal_parts_is_a_mean():
    x = np.random.default_rng(3).random(40)
    assert ratio((1, x, np.ones(40))) == pytest.approx(mean(x, np.arange(40)))
    value, *ends = ratio((1, x, np.ones(40)), (-1, x, np.ones(40)))
    assert value == pytest.approx(0)
    assert np.isnan(ends).all(), "nothing varies"
    assert np.isnan(ratio((1, x, np.ones(40)), (-1, x, np.zeros(40)))).all()


@pytest.mark.parametrize("parts", [1, 2])
def test_clusters_without_an_observation_say_nothing(parts):
    """Nor do intervals get narrower by them."""
    t, m = np.array([1.0, 3, 2, 4, 0]), np.array([2.0, 3, 4, 4, 1])
    known = [(1, t, m), (-1, t[::-1] / 2, m)][:parts]
    more = [(sign, np.append(a, np.zeros(95)), np.append(b, np.zeros(95))) for sign, a, b in known]
    assert ratio(*more) == pytest.approx(ratio(*known))
    lost = ratio((1, np.append(t, -1.0), np.append(m, 0.0)))
    assert lost.value == pytest.approx((t.sum() - 1) / m.sum()), "of numbers, errors where none vary count"


def test_a_difference_of_ratios_is_as_uncertain_as_resampling_says():
    draw = np.random.default_rng(4)
    m = draw.integers(1, 9, 200)
    t, other = draw.binomial(m, 0.7), draw.binomial(m, 0.4)
    value, low, high = ratio((1, t, m), (-1, other, m))
    rows = draw.integers(0, 200, (2000, 200))
    again = t[rows].sum(1) / m[rows].sum(1) - other[rows].sum(1) / m[rows].sum(1)
    assert value == pytest.approx(t.sum() / m.sum() - other.sum() / m.sum())
    assert (high - low) / 2 == pytest.approx(1.96 * again.std(), rel=0.1)
