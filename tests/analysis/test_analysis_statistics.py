"""Every statistic against a library, a closed form or a simulation with a known truth."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from tracelab.analysis.confidence import calibration
from tracelab.analysis.estimates import cohens_h, compare, holm, mcnemar
from tracelab.analysis.joint import _phi_interval
from tracelab.analysis.length import length_against, tobit
from tracelab.analysis.variance import by_problem, gap, nested, of_ratios, spread
from tracelab.core import stats as ours
from tracelab.core.stats import clustered, phi_of, wilson

# --- coverage: how often a nominal 95 % interval holds the truth --------------------------------------


@pytest.mark.parametrize(("p", "n"), [(0.5, 256), (0.9, 256), (0.99, 1000), (0.3, 64)])
def test_wilsons_interval_covers(p, n):
    """By summing the binomial distribution, so exactly."""
    k = np.arange(n + 1)
    low, high = wilson(k, n)
    assert 0.93 <= stats.binom.pmf(k, n, p)[(low <= p) & (p <= high)].sum() <= 0.97


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_intervals_of_clustered_samples_cover(alike, rate):
    """Up to 8 samples of each of 256 problems, whose difficulties are beta distributed."""
    draw, hits, times = np.random.default_rng(int(10 * alike)), 0, 2000
    for _ in range(times):
        of = draw.integers(4, 9, 256)
        spread_of = (1 - alike) / max(alike, 1e-9)
        easy = draw.beta(rate * spread_of, (1 - rate) * spread_of, 256) if alike else np.full(256, rate)
        low, high = clustered(draw.binomial(of, easy), of)
        hits += low <= rate <= high
    assert 0.93 <= hits / times <= 0.97


def test_the_clustered_interval_lies_between_those_of_samples_and_of_problems():
    """One sample each: Wilson's. All samples of a problem alike: Wilson's of the problems. So with none."""
    flags = np.random.default_rng(0).random(200) < 0.8
    once = np.array(wilson(flags.sum(), 200))
    np.testing.assert_allclose(clustered(flags, np.ones(200)), once, rtol=1e-12)
    np.testing.assert_allclose(clustered(8 * flags, np.full(200, 8)), once, rtol=1e-12)
    np.testing.assert_allclose(clustered(np.zeros(200), np.full(200, 8)), wilson(0, 200), rtol=1e-12)
    rare = [clustered(np.arange(200) < k, np.full(200, 8))[1] for k in range(4)]
    assert np.ptp(rare) < max(rare) / 10, "the end makes no jump where the first is right"
    assert clustered([], []) == (0.0, 1.0)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("of_seeds", [0.0, 0.05, 0.2])
def test_intervals_of_differences_cover(seeds, of_seeds):
    """Two arms with 128 common problems: problems differ, seeds differ by `of_seeds`, the rest is chance."""
    draw, hits, times = np.random.default_rng(seeds), 0, 4000
    for _ in range(times):
        common = draw.normal(0, 0.3, 128)
        arms = []
        for mean in (0.6, 0.5):
            own = draw.normal(0, 0.1, 128)
            by_seed = draw.normal(0, of_seeds, (seeds, 1))
            arms.append(mean + common + own + by_seed + draw.normal(0, 0.3, (seeds, 128)))
        low, high = spread(arms, (1, -1)).interval()
        hits += low <= 0.1 <= high
    assert 0.93 <= hits / times <= 0.985  # most with few seeds that do not differ


def test_intervals_of_verdicts_cover():
    """The same with yes and no: problems of different difficulty, seeds that are better or worse."""
    draw, hits, times = np.random.default_rng(5), 0, 2000
    difficulty = draw.normal(0, 1.5, 100_000)
    truth = float(np.mean([_solves(difficulty, shift, 0.5) for shift in (1.0, 0.4)], axis=1) @ [1, -1])
    for _ in range(times):
        problems = draw.choice(difficulty, 256)
        arms = [
            np.stack(
                [draw.random(256) < stats.norm.cdf(shift + s - problems) for s in draw.normal(0, 0.5, 4)]
            )
            for shift in (1.0, 0.4)
        ]
        low, high = spread([arm.astype(float) for arm in arms], (1, -1)).interval()
        hits += low <= truth <= high
    assert 0.93 <= hits / times <= 0.97


@pytest.mark.parametrize("rate", [0.5, 0.9])
@pytest.mark.parametrize("of", [lambda a, b: spread((a, b), (1, -1)), lambda a, b: gap((a, b))])
def test_two_seeds_that_do_not_differ_have_no_endless_interval_and_no_certain_p(of, rate):
    """Of verdicts by chance alone, where variances are differences of like numbers."""
    draw, found = np.random.default_rng(3), []
    for _ in range(1000):
        found.append(of(*((draw.random((2, 64)) < rate).astype(float) for _ in range(2))).at_least(64))
    halves = np.array([each.interval()[1] - each.value for each in found])
    covered = np.mean(np.abs([each.value for each in found]) <= halves)
    assert 0.93 <= covered <= 0.995
    assert min(each.freedom for each in found) >= 1 - 1e-9
    assert min(each.p for each in found) > 1e-4
    assert np.median(halves) < 0.3


def test_a_share_whose_cases_lie_in_few_seeds_covers():
    """One seed in three solves 80 %, the others 2 %; of what they solve shares differ by seed."""
    draw, hits, times = np.random.default_rng(4), 0, 0
    for _ in range(600):
        solves, has = np.where(draw.random((5, 1)) < 1 / 3, 0.8, 0.02), draw.beta(5, 2, (5, 1))
        whole = (draw.random((5, 256)) < solves).astype(float)
        part = whole * (draw.random((5, 256)) < has)
        if whole.sum() >= 50:
            low, high = of_ratios([(1, part, whole)], np.arange(256)).interval()
            times, hits = times + 1, hits + (low <= 5 / 7 <= high)
    assert 0.91 <= hits / times <= 0.98


def test_equal_shares_are_a_mean_and_the_difference_of_one_with_itself_is_nothing():
    draw = np.random.default_rng(5)
    part, whole = draw.random((4, 100)), np.ones((4, 100))
    one, mean = of_ratios([(1, part, whole)], np.arange(100)), spread([part], [1])
    assert (one.value, one.error, one.freedom) == pytest.approx((mean.value, mean.error, mean.freedom))
    none = of_ratios([(1, part, whole), (-1, part, whole)], np.arange(100))
    assert (none.value, none.error) == pytest.approx((0, 0))
    alone = np.zeros((3, 100))
    alone[1] = 1
    assert of_ratios([(1, alone * part[:3], alone)], np.arange(100)).freedom == 99, "one seed has all"
    with pytest.raises(ValueError, match="of nothing"):
        of_ratios([(1, part, 0 * whole)], np.arange(100))


def test_an_error_of_nothing_is_no_certainty():
    alike = spread((np.ones((1, 3)), np.zeros((1, 3))), (1, -1))
    assert np.isnan(alike.p)
    found = alike.at_least(3)
    assert found.p == pytest.approx(0.046, abs=0.001)
    assert found.interval()[0] == pytest.approx(1 - stats.t.ppf(0.975, 2) * 20**-0.5)
    two = gap((np.ones((1, 8)), np.zeros((1, 3)))).at_least(8, 3)
    assert (two.error, two.freedom) == pytest.approx(((1 / 20 + 1 / 90) ** 0.5, 2)), "each may differ"


def _solves(difficulty, shift, of_seeds):
    """P(solved), over seeds in closed form."""
    return stats.norm.cdf((shift - difficulty) / np.sqrt(1 + of_seeds**2))


@pytest.mark.parametrize("of_seeds", [0.0, 0.1])
def test_intervals_of_gaps_cover(of_seeds):
    """The same four seeds on two sets of problems."""
    draw, hits, times = np.random.default_rng(8), 0, 2000
    for _ in range(times):
        luck = draw.normal(0, of_seeds, (4, 1))
        sets = tuple(
            mean + luck * share + draw.normal(0, 0.3, n) + draw.normal(0, 0.3, (4, n))
            for mean, share, n in ((0.3, 2.0, 100), (0.8, 1.0, 200))
        )
        low, high = gap(sets).interval()
        hits += low <= -0.5 <= high
    assert 0.93 <= hits / times <= 0.97


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize(("seeds", "of_seeds"), [(1, 0.0), (3, 0.0), (3, 0.05), (3, 0.2), (5, 0.1)])
def test_intervals_over_problems_of_seeds_own_cover(seeds, of_seeds, common):
    """Each seed has 128 problems of its own, and perhaps 100 that all have."""
    draw, hits, times = np.random.default_rng(9), 0, 2000
    for _ in range(times):
        luck = draw.normal(0, of_seeds, seeds)
        own = [0.8 + by_seed + draw.normal(0, 0.4, 128) for by_seed in luck]
        shared = draw.normal(0, 0.3, 100) + draw.normal(0, 0.3, (seeds, 100))
        low, high = nested(own, 0.5 + 2 * luck[:, None] + shared if common else None).interval()
        hits += low <= (0.3 if common else 0.8) <= high
    assert 0.92 <= hits / times <= 0.99


def test_intervals_of_phi_cover():
    draw, hits, times = np.random.default_rng(6), 0, 300
    shares = np.array([0.45, 0.25, 0.05, 0.25])
    truth = float(phi_of(shares))
    for _ in range(times):
        kinds = draw.choice(4, 300, p=shares)
        low, high = _phi_interval(np.eye(4)[kinds], draw)
        hits += low <= truth <= high
    assert 0.93 <= hits / times <= 0.97


@pytest.mark.parametrize("alike", [0.0, 0.7])
def test_intervals_of_clustered_means_cover(alike):
    """Shares of traces before an error: half of them 1; 1 to 4 traces of each of 128 problems."""
    draw, hits, times = np.random.default_rng(10), 0, 2000
    for _ in range(times):
        problems = np.repeat(np.arange(128), draw.integers(1, 5, 128))
        own, common = draw.random(len(problems)), draw.random(128)[problems]
        values = np.minimum(1, 2 * np.where(draw.random(len(problems)) < alike, common, own))
        _, low, high = ours.mean(values, problems)
        hits += low <= 0.75 <= high
    assert 0.93 <= hits / times <= 0.97


def test_one_seed_is_judged_by_its_problems_alone():
    """Then the interval is that of the paired differences."""
    draw = np.random.default_rng(0)
    a, b = draw.normal(0.2, 1, (1, 400)), draw.normal(0.0, 1, (1, 400))
    found, paired = spread((a, b), (1, -1)), stats.ttest_rel(a[0], b[0])
    assert found.value == pytest.approx((a - b).mean())
    assert found.interval() == pytest.approx(tuple(paired.confidence_interval()), abs=0.01)
    assert found.p == pytest.approx(paired.pvalue, rel=0.25)


def test_one_seed_with_problems_of_its_own():
    """Then it is the paired t-test of its differences, or Welch's with common ones."""
    draw = np.random.default_rng(0)
    own, common = draw.normal(0.2, 1, 300), draw.normal(0.0, 2, (1, 200))
    alone, welch = stats.ttest_1samp(own, 0), stats.ttest_ind(own, common[0], equal_var=False)
    assert nested([own]).interval() == pytest.approx(tuple(alone.confidence_interval()), abs=0.002)
    assert nested([own]).p == pytest.approx(alone.pvalue, rel=0.1)
    assert nested([own], common).interval() == pytest.approx(tuple(welch.confidence_interval()), abs=0.005)


def test_verdicts_that_are_all_alike_are_not_certain():
    """Agresti and Min's interval of paired verdicts: half a pair of each kind more."""
    low, high = nested([np.zeros(24)]).interval()
    error = np.sqrt((0.5 + 0.5) / 26 / 25)
    assert (low, high) == pytest.approx((-stats.t.ppf(0.975, 25) * error, stats.t.ppf(0.975, 25) * error))
    low, high = nested([np.ones(24)] * 3, np.zeros((3, 50))).interval()
    assert 0.85 < low < 1 < high


def test_seeds_that_differ_much_are_a_sample_of_their_means():
    draw = np.random.default_rng(0)
    own = [mean + draw.normal(0, 0.1, 50 + 10 * k) for k, mean in enumerate((0.1, 0.6, 0.9, 0.3))]
    theirs = stats.ttest_1samp([part.mean() for part in own], 0)
    assert nested(own).interval() == pytest.approx(tuple(theirs.confidence_interval()))


def test_many_problems_leave_the_seeds():
    """Then the interval is Welch's on the seeds' means."""
    draw = np.random.default_rng(0)
    arms = [draw.normal(mean, 0.1, (4, 1)) + draw.normal(0, 0.01, (4, 2000)) for mean in (0.5, 0.3)]
    welch = stats.ttest_ind(arms[0].mean(1), arms[1].mean(1), equal_var=False)
    assert spread(arms, (1, -1)).interval() == pytest.approx(tuple(welch.confidence_interval()), abs=0.01)


# --- against libraries and closed forms ------------------------------------------------------------------


def test_wilson_is_statsmodels():
    for k, n in ((0, 10), (3, 10), (256, 256), (97, 100)):
        theirs = proportion_confint(k, n, method="wilson")
        assert [float(end) for end in wilson(k, n)] == pytest.approx(theirs, abs=1e-12)


def test_mcnemar_is_statsmodels():
    draw = np.random.default_rng(0)
    for _ in range(20):
        a, b = draw.random(60) < 0.6, draw.random(60) < 0.4
        table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
        assert mcnemar(a, b)[1] == pytest.approx(their_mcnemar(table, exact=True).pvalue)
        assert mcnemar(a, b)[0] == pytest.approx(table[0][1] / (table[0][1] + table[1][0]))
    assert mcnemar(a, a) == (0.5, 1.0)


def test_pairs_that_differ_on_no_problem_have_no_share_of_those_that_they_differ_on():
    """Of two seeds the second's runs solve the same problems: the share is the first's alone."""
    solved = {("a", 0): [1, 1, 1, 0], ("b", 0): [0, 1, 1, 0], ("a", 1): [0, 1, 1, 0], ("b", 1): [0, 1, 1, 0]}
    rows = [
        {"run": f"{arm}{seed}", "arm": arm, "seed": seed, "split": "test", "index": i, "problem_key": i}
        | {"right": bool(right), "wrong": False}
        for (arm, seed), each in solved.items()
        for i, right in enumerate(each)
    ]
    table = pl.LazyFrame(rows)
    assert compare(table, "right", "test", base="b")["discordant"].item() == 1.0
    assert compare(table, "wrong", "test", base="b")["discordant"].item() is None


def test_effects_and_corrections():
    assert cohens_h(0.8, 0.5) == pytest.approx(proportion_effectsize(0.8, 0.5))
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    untested = holm(np.array([np.nan, 0.01, np.nan, 0.04, 0.03])).tolist()
    assert untested == pytest.approx([np.nan, 0.03, np.nan, 0.06, 0.06], nan_ok=True)
    draw = np.random.default_rng(0)
    for n in (0, 1, 2, 7, 40):
        p = draw.random(n).round(2) ** 3  # with ties
        assert holm(p).tolist() == pytest.approx((multipletests(p, method="holm")[1] if n else p).tolist())


def test_a_line_through_censored_lengths_is_found():
    """Least squares on what was cut off is not; without censoring the two are one."""
    draw = np.random.default_rng(0)
    x = draw.uniform(0, 100, 3000)
    y = 20 + 3 * x + draw.normal(0, 25, 3000)
    free = tobit(x, y, np.zeros(3000, bool))
    assert (free.slope, free.intercept) == pytest.approx(tuple(np.polyfit(x, y, 1)))
    cut, censored = np.minimum(y, 220), y >= 220
    found = tobit(x, cut, censored)
    assert found.slope == pytest.approx(3, abs=0.1)
    assert found.deviation == pytest.approx(25, abs=1.5)
    assert np.polyfit(x, cut, 1)[0] < 2.5
    assert np.polyfit(x[~censored], cut[~censored], 1)[0] < 2.9


def test_calibration():
    """A sure thing, a coin, and a closed form."""
    curve, ece, brier = calibration(np.array([0.95] * 20), np.array([True] * 19 + [False]))
    assert (len(curve), ece) == (1, pytest.approx(0))
    assert brier == pytest.approx((19 * 0.05**2 + 0.95**2) / 20)
    _, ece, brier = calibration(np.array([1.0, 1.0, 0.0, 0.0]), np.array([True, False, True, False]))
    assert (ece, brier) == (0.5, 0.5)
    draw = np.random.default_rng(0)
    confidence = draw.random(200_000)
    curve, ece, brier = calibration(confidence, draw.random(200_000) < confidence)
    assert ece < 0.005
    assert brier == pytest.approx(1 / 6, abs=0.003)  # the mean of c (1 - c)
    assert curve["n"].sum() == 200_000
    assert (curve["accuracy"] - curve["confidence_mean"]).abs().max() < 0.02
    with pytest.raises(ValueError, match="from 0 to 1"):
        calibration(np.array([1.2]), np.array([True]))


def test_polars_is_what_comes_back():
    assert isinstance(calibration(np.array([0.5]), np.array([True]))[0], pl.DataFrame)


@pytest.mark.parametrize(
    ("y", "seen"),
    [
        (np.full(100, 100.0), [0]),  # one alone
        (np.arange(100.0), [0, 1]),  # on a line
        (np.where(np.arange(100) == 5, 1e9, 40.0), [5]),
        (np.arange(100.0) * 1e150, range(50)),
    ],
)
def test_a_line_through_almost_nothing_overflows_nowhere(y, seen):
    censored = ~np.isin(np.arange(100), list(seen))
    with np.errstate(all="raise", under="ignore"):
        found = tobit(np.arange(100.0), y, censored)
    assert np.isfinite([found.intercept, found.slope, found.deviation]).all()


def test_lower_bounds_alone_make_no_line():
    assert np.isnan(tobit(np.arange(9.0), np.full(9, 40.0), np.ones(9, bool)).slope)


def test_a_bootstrap_draws_problems_whatever_their_places_are():
    """The same problems at one place or at several: the same intervals."""
    draw = np.random.default_rng(0)
    rows = 4 * 30
    frame = pl.DataFrame(
        {
            "arm": ["a"] * rows,
            "split": ["s"] * rows,
            "problem_key": np.repeat(np.arange(30), 4),
            "index": np.repeat(np.arange(30), 4),
            "x": np.repeat(draw.uniform(0, 9, 30), 4),
            "completion_tokens": np.repeat(draw.uniform(10, 90, 30), 4),
            "reference_steps": np.repeat(draw.integers(1, 9, 30), 4),
            "truncated": [False] * rows,
        }
    )
    apart = frame.with_columns(index=pl.int_range(rows))
    found = [length_against(table.lazy(), "x").drop("n") for table in (frame, apart)]
    assert found[0].equals(found[1])


def test_a_problem_that_comes_often_counts_once():
    """Copies of each observation leave a mean's variance what it is; single ones are left alone."""
    draw = np.random.default_rng(0)
    values, keys = draw.normal(size=(2, 40)), draw.permutation(40)
    assert by_problem(values, keys) is values
    often = by_problem(np.repeat(values, 5, axis=1), np.repeat(keys, 5))
    assert often.shape == (2, 40)
    assert np.allclose(np.sort(often), np.sort(values))
    uneven = by_problem(values, np.minimum(keys, 9))
    assert np.allclose(uneven.mean(1), values.mean(1))


def test_one_problem_has_no_interval_and_warns_of_nothing():
    one = np.ones((2, 1))
    for found in (spread((one, one), (1, -1)), gap((one, np.zeros((2, 9))))):
        assert np.isnan(found.error)
