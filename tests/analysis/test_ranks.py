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


def test_what_is_not_known_gives_nothing(drawn):
    """Wherever it stands; a resample without it is whole."""
    x, y, z, rows, times = drawn
    x[5] = np.nan
    has = np.array([5 in each for each in rows])
    assert np.isnan(ranks(x, times)).all(1).tolist() == has.tolist()
    assert np.isnan(rank_correlations(x, z, times)).tolist() == [*has[:-1].tolist(), True]
    assert np.isnan(partial_rank_correlations(z, y, x, times)).tolist() == [*[False] * 4, True]
    assert np.isnan(slopes(x, z, times)).all()


def partial(x, y, z):
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    return (xy - xz * yz) / ((1 - xz**2) * (1 - yz**2)) ** 0.5


@pytest.mark.parametrize("cut", [True, False])
def test_intervals_are_those_of_rows_drawn_one_set_at_a_time(drawn, monkeypatch, cut):
    """Two completions a problem, some of them cut off or none: every figure, problem by problem."""
    x, y, z, _, _ = drawn
    censored, whose = np.isinf(y) & cut, np.repeat(np.arange(ROWS // 2), 2)
    y = np.where(np.isinf(y), 9.0, y) + 0.3 * x
    reference, fixed = x + 2 * z, 5.0 - z
    ranked = np.where(censored, np.inf, y)
    monkeypatch.setattr(length, "REPLICATES", 30)
    monkeypatch.setattr(length, "AT_ONCE", 7 * ROWS)  # in five parts
    found = length._resampled(whose, length._figures(x, y, reference, censored, fixed), seed=5)
    figures = {
        "spearman": lambda i: spearman(x[i], ranked[i]),
        "slope": lambda i: length.tobit(x[i], y[i], censored[i]).slope,
        "r2": lambda i: np.corrcoef(x[i], y[i])[0, 1] ** 2,
        "partial": lambda i: partial(x[i], ranked[i], fixed[i]),
        "reference_spearman": lambda i: spearman(x[i], reference[i]),
        "reference_steps_slope": lambda i: np.polyfit(x[i], reference[i], 1)[0],
    }
    assert found.keys() == {f"{name}{end}" for name in figures for end in ("", "_low", "_high")}
    draw, problems = np.random.default_rng(5), ROWS // 2
    sets = [draw.integers(problems, size=problems) for _ in range(30)]
    sets = [np.concatenate([np.flatnonzero(whose == p) for p in each]) for each in sets]
    for name, figure in figures.items():
        ends = np.quantile([figure(i) for i in sets], [0.025, 0.975])
        expected = [figure(np.arange(ROWS)), *ends]
        assert [found[f"{name}{end}"] for end in ("", "_low", "_high")] == pytest.approx(
            expected, rel=1e-4
        ), name
