"""Correlations in resamples against scipy and numpy on the rows that were drawn."""

import warnings

import numpy as np
import pytest
from scipy import stats

from tracelab.analysis import length
from tracelab.analysis.ranks import (
    correlations,
    partial_rank_correlations,
    rank_correlations,
    ranks,
    slopes,
    varies,
)

ROWS = 40


@pytest.fixture
def drawn():
    """Rows of values with ties, some infinite; and resamples: all rows once, three draws, one row alone."""
    draw = np.random.default_rng(4)
    x, y, z = (draw.integers(9, size=ROWS).astype(float) for _ in range(3))
    y[:7] = np.inf  # cut off
    rows = [np.arange(ROWS), *(draw.integers(ROWS, size=ROWS) for _ in range(3)), np.full(ROWS, 3)]
    times = np.stack([np.bincount(each, minlength=ROWS) for each in rows]).astype(float)
    return x, y, z, rows, times


def spearman(x, y):
    """scipy's, nan without a warning where one never varies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return stats.spearmanr(x, y).statistic


def test_ranks_are_scipys(drawn):
    _, y, _, rows, times = drawn
    for each, found in zip(rows, ranks(y, times), strict=True):
        assert found[each].tolist() == stats.rankdata(y[each]).tolist()


def test_rank_correlations_are_scipys(drawn):
    x, y, _, rows, times = drawn
    expected = [spearman(x[each], y[each]) for each in rows]
    assert rank_correlations(x, y, times) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(expected[-1])
    endless = np.full(ROWS, np.inf)
    assert np.isnan(rank_correlations(x, endless, times)).all()


def test_correlations_and_slopes_are_numpys(drawn):
    x, _, z, rows, times = drawn
    z = 0.1 * z  # no whole numbers, whose sums would be exact
    rows, alone = rows[:-1], times[-1:]
    assert correlations(x, z, times)[:-1] == pytest.approx([np.corrcoef(x[i], z[i])[0, 1] for i in rows])
    assert slopes(z, x, times)[:-1] == pytest.approx([np.polyfit(z[i], x[i], 1)[0] for i in rows])
    assert np.isnan([correlations(x, z, alone)[0], slopes(z, x, alone)[0]]).all()
    assert varies(z, times).tolist() == [True] * 4 + [False]


def test_partial_rank_correlation_is_that_of_residual_ranks():
    draw = np.random.default_rng(0)
    z = draw.normal(size=300)
    x, y, once = z + draw.normal(size=300), z + draw.normal(size=300), np.ones((1, 300))
    ranked = [stats.rankdata(v) for v in (x, y, z)]
    residuals = [r - np.polyval(np.polyfit(ranked[2], r, 1), ranked[2]) for r in ranked[:2]]
    partial = partial_rank_correlations(x, y, z, once)[0]
    assert partial == pytest.approx(np.corrcoef(*residuals)[0, 1])
    plain = rank_correlations(x, y, once)[0]
    assert plain > 0.3 > abs(partial)
    assert partial_rank_correlations(x, y, np.ones(300), once)[0] == plain  # nothing to take out
    assert np.isnan(partial_rank_correlations(x, y, x, once)[0])  # nothing is left


def test_intervals_are_those_of_rows_drawn_one_set_at_a_time(drawn, monkeypatch):
    """Two completions a problem, one of five cut off: every figure, problem by problem."""
    x, y, z, _, _ = drawn
    censored, whose = np.isinf(y), np.repeat(np.arange(ROWS // 2), 2)
    y = np.where(censored, 9.0, y)
    monkeypatch.setattr(length, "REPLICATES", 30)
    monkeypatch.setattr(length, "AT_ONCE", 7 * ROWS)  # in five parts
    found = length._resampled(whose, length._figures(x, y, z, censored, z), seed=5)
    draw, slope, rank = np.random.default_rng(5), [], []
    for _ in range(30):
        i = np.concatenate([np.flatnonzero(whose == p) for p in draw.integers(ROWS // 2, size=ROWS // 2)])
        slope.append(length.tobit(x[i], y[i], censored[i]).slope)
        rank.append(spearman(x[i], np.where(censored, np.inf, y)[i]))
    for name, values in (("slope", slope), ("spearman", rank)):
        ends = found[f"{name}_low"], found[f"{name}_high"]
        assert ends == pytest.approx(np.quantile(values, [0.025, 0.975]), rel=1e-4), name
    assert found["spearman"] == pytest.approx(spearman(x, np.where(censored, np.inf, y)))
    assert found.keys() >= {"partial", "r2_low", "reference_spearman_high", "reference_steps_slope"}
