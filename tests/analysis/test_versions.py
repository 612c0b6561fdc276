"""Effective accuracy and the reasoning gap: by hand, where the truth is known, and how intervals cover."""

import numpy as np
import polars as pl
import pytest

from tracelab.analysis.variance import nested
from tracelab.analysis.versions import effective, quartiles, scores

KINDS = ("mirror", "rotate", "relabel")


def table_of(solved, hardness=None, seed=0, arm="correct"):
    """Outcomes of one run: (problems, versions) verdicts; the trained problem itself is always solved."""
    n, parts = len(solved), []
    hard = np.zeros(n, np.int64) if hardness is None else hardness
    for split, valid in {"train": np.ones(n, bool), **dict(zip(KINDS, solved.T, strict=False))}.items():
        keys = {"index": np.arange(n), "parent_key": np.arange(n) + 1000 * seed, "problem_key": np.arange(n)}
        labels = {"arm": arm, "seed": seed, "run": f"{arm}-{seed}", "split": split, "sample": 0}
        frame = pl.DataFrame({**keys, "solution_valid": valid, "reference_steps": hard})
        parts.append(frame.with_columns(pl.lit(value).alias(name) for name, value in labels.items()))
    fresh = parts[0].with_columns(split=pl.lit("fresh"), parent_key=pl.lit(None, pl.Int64))
    return pl.concat([*parts, fresh]).lazy()


def independent(draw, rates, versions=3):
    """Each version of problem i is solved with chance rates[i]."""
    return draw.random((len(rates), versions)) < np.asarray(rates)[:, None]


def test_by_hand():
    solved = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    row = effective(table_of(solved)).row(0, named=True)
    assert row["average"] == pytest.approx(6 / 12)
    assert row["effective"] == pytest.approx(1 / 4)
    assert row["gap"] == pytest.approx(1 / 4)
    assert row["relative_gap"] == pytest.approx(1)
    assert row["gap_expected"] == pytest.approx(6 / 12 - 3 / 4 * 2 / 4 * 1 / 4)
    assert row["excess"] == pytest.approx(row["gap"] - row["gap_expected"])
    assert (row["versions"], row["n"], row["left_out"], row["seeds"]) == (3, 4, 0, 1)
    two = effective(table_of(solved), kinds=KINDS[:2]).row(0, named=True)
    assert (two["average"], two["effective"]) == (pytest.approx(5 / 8), pytest.approx(2 / 4))


def test_samples_count_as_the_chance_that_one_of_each_solves():
    found = scores(np.array([[0.5, 0.5], [1.0, 0.0]]), np.zeros(2, np.int64))
    assert found.effective.tolist() == [0.25, 0]
    assert found.independent.mean() == pytest.approx(0.75 * 0.25)


def test_errors_by_chance_make_a_gap_and_no_excess():
    draw = np.random.default_rng(0)
    runs = [table_of(independent(draw, np.full(300, 0.7)), seed=seed) for seed in range(3)]
    row = effective(pl.concat(runs)).row(0, named=True)
    assert row["gap"] == pytest.approx(0.7 - 0.7**3, abs=0.04)
    assert row["gap_low"] > 0.25
    assert row["excess_low"] < 0 < row["excess_high"]


def test_who_solves_a_problem_or_fails_it_has_no_gap():
    solved = np.repeat(np.random.default_rng(1).random((200, 1)) < 0.6, 3, axis=1)
    row = effective(table_of(solved)).row(0, named=True)
    assert row["gap"] == 0
    assert row["relative_gap"] == 0
    assert row["excess_high"] < -0.1
    assert row["p_holm"] < 0.001


def test_classes_account_for_what_hard_problems_have_in_common():
    """Easy and hard problems alone make versions hang together: by class they do not."""
    hard = np.repeat([0, 1], 400)
    solved = independent(np.random.default_rng(2), np.where(hard, 0.2, 0.9))
    blind, told = (effective(table_of(solved, known)).row(0, named=True) for known in (None, hard))
    assert blind["gap"] == told["gap"]
    assert blind["excess_high"] < -0.05
    assert told["excess_low"] < 0 < told["excess_high"]
    assert np.unique(quartiles(np.arange(100)), return_counts=True)[1].tolist() == [25] * 4


def test_problems_that_lack_a_version_are_left_out_and_counted():
    solved = np.ones((10, 3), bool)
    table = table_of(solved).filter(~((pl.col("split") == "rotate") & (pl.col("index") < 4)))
    row = effective(table).row(0, named=True)
    assert (row["n"], row["left_out"], row["gap"]) == (6, 4, 0)


def test_what_cannot_be_asked():
    table = table_of(np.ones((4, 3), bool))
    with pytest.raises(ValueError, match="two changes of it or more"):
        effective(table, kinds=["mirror"])
    with pytest.raises(ValueError, match="no problem has all of its versions mirror, shift"):
        effective(table, kinds=["mirror", "shift"])
    twice = pl.concat([table, table.with_columns(run=pl.lit("another"))])
    with pytest.raises(ValueError, match="two runs of the arm 'correct' have the seed 0"):
        effective(twice)


@pytest.mark.parametrize("seeds", [1, 3])
def test_intervals_of_the_excess_cover(seeds):
    """Versions are independent, so the excess is 0."""
    draw, hits, times = np.random.default_rng(3), 0, 300
    for _ in range(times):
        classes = np.arange(200) % 4
        found = [scores(independent(draw, 0.9 - 0.2 * classes), classes) for _ in range(seeds)]
        low, high = nested([known.independent - known.effective for known in found]).interval()
        hits += low <= 0 <= high
    assert 0.92 <= hits / times <= 0.99
