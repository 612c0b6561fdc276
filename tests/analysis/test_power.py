"""The number of seeds that a difference needs, held against simulated studies of that many."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from tracelab.analysis.power import POWER, chance_to_see, fewest, seeds_needed
from tracelab.analysis.variance import spread

PROBLEMS = 256


def verdicts(draw, seeds, shift, of_seeds):
    """(seeds, problems) of two arms whose chances differ by `shift`."""
    easy = draw.normal(0.5, 0.15, PROBLEMS)
    return [
        (draw.random((seeds, PROBLEMS)) < easy + move + draw.normal(0, of_seeds, (seeds, 1))).astype(float)
        for move in (shift, 0.0)
    ]


def test_power_is_statsmodels():
    expected = TTestIndPower().power(effect_size=1.2, nobs1=8, alpha=0.05)
    assert chance_to_see(1.2 * 2, 14) == pytest.approx(expected)  # sqrt(8 / 2) standard errors a deviation


def test_of_an_effect_that_is_sure_to_be_seen_two_seeds_are_enough():
    draw = np.random.default_rng(2)
    one, other = ((draw.random((5, 512)) < 0.95).astype(float) for _ in range(2))
    assert fewest(one, other, 0.1) == 2
    assert min(chance_to_see(effect, 8) for effect in np.linspace(8, 40, 321)) > 0.99


def test_far_sets_count_alike_whatever_their_sizes():
    """What seeds differ by on the smaller of two sets is half of what they differ by."""
    parts = []
    for split, n in (("near", 8), ("small", 20), ("large", 200)):
        for arm in ("correct", "swapped"):
            for seed in range(5):
                right = np.arange(n) % 2 == 0 if split != "small" else np.full(n, seed % 2 == 0)
                about = {"run": f"{arm}-{seed}", "arm": arm, "seed": seed, "split": split}
                options = {"treatment": arm, "treatment_options": "", "algorithm": None}
                rows = {"index": np.arange(n), "problem_key": np.arange(n) + 1000 * n, "right": right}
                parts.append(pl.DataFrame({**about, **options, **rows}))
    table = pl.concat(parts).lazy()
    of_seeds = np.tile(np.arange(5)[:, None] % 2 == 0, (1, 40)) / 2 + 0.25
    assert seeds_needed(table, "right", "far", "correct", "swapped") == fewest(of_seeds, of_seeds, 0.1)


def test_so_many_seeds_see_the_difference_in_four_of_five_studies():
    draw = np.random.default_rng(0)
    needed = fewest(*verdicts(draw, 60, 0.1, 0.06), 0.1)
    assert 6 <= needed <= 9
    seen = [spread(verdicts(draw, needed, 0.1, 0.06), (1, -1)).p < 0.05 for _ in range(400)]
    low, high = stats.binomtest(sum(seen), 400).proportion_ci()
    assert low < 0.87
    assert high > 0.75


def test_an_arm_whose_seeds_are_alike_lends_the_other_no_degrees_of_freedom():
    """Then the difference is known as well as the other's mean: to S - 1 degrees, not 2 (S - 1)."""
    even = np.arange(PROBLEMS) % 2 == 0
    alike = np.tile(even, (5, 1)).astype(float)
    varied = alike + 0.05 * np.array([[-1.0], [1.0], [-1.0], [1.0], [0.0]])  # a deviation of 0.05
    needed = fewest(varied, alike, 0.1)
    assert needed == 5
    draw = np.random.default_rng(0)
    for seeds, enough in ((needed - 1, False), (needed, True)):
        shifts = draw.normal(0.1, 0.05, (2000, seeds))
        assert (np.mean(stats.ttest_1samp(shifts, 0, axis=1).pvalue < 0.05) >= POWER) == enough


def test_what_problems_make_of_a_difference_no_seeds_mend():
    """Half of twenty problems are solved by one arm alone, the rest by the other."""
    one = np.tile([1.0, 0.0], (4, 10))
    assert fewest(one, 1 - one, 0.1) is None
    assert fewest(one, one, 0.1) == 2
