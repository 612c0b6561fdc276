"""Test sets out of distribution, taken together: each counts as much as any other, in values and errors."""

import polars as pl
import pytest

from tests.analysis.test_findings import CLAIMED, FEW, study
from tracelab.analysis import findings
from tracelab.analysis.cells import FAR


def test_far_sets_count_alike_whatever_their_sizes():
    table = study(CLAIMED, True, problems=FEW).filter((pl.col("split") != "far_1") | (pl.col("index") < 20))
    for part in ("a", "j2"):
        _, far, one, two = findings.measurements({"maze": table}).filter(part=part)["value"]
        assert far == pytest.approx((one + two) / 2)


def test_what_far_sets_differ_by_is_no_chance():
    """Other problems would be of the same sets: the errors of both, as far as each counts."""
    rates = {("correct", "", None): (0.75, 0.3, 0.6), ("solution_only", "", None): (0.5, 0.1, 0.0)}
    table = study(rates, False, problems=400).with_columns(
        solution_valid=pl.when(pl.col("split") == "far_2")
        .then(pl.col("treatment") == "correct")
        .otherwise("solution_valid")
    )
    table = table.filter((pl.col("split") != "far_2") | (pl.col("index") < 40))
    found = {row["split"]: row for row in findings.measurements({"maze": table}).filter(part="a").to_dicts()}
    width = {split: row["high"] - row["low"] for split, row in found.items()}
    assert found[FAR]["value"] == pytest.approx((found["far_1"]["value"] + 1) / 2)
    assert width[FAR] == pytest.approx(width["far_1"] / 2, rel=0.1)


def test_the_far_quarters_take_as_much_of_each_set():
    """As if the small set had each of its problems three times."""
    large = study(CLAIMED, False, problems=FEW).collect()
    small = (pl.col("split") != "far_1") | (pl.col("index") < FEW // 3)
    part = large.filter(small)
    again = [
        part.filter(pl.col("split") == "far_1").with_columns(pl.col("index", "problem_key") + 100 * k)
        for k in (1, 2)
    ]
    thrice = pl.concat([part, *again], how="vertical_relaxed")
    once, alike = (
        findings.measurements({"maze": table.lazy()}).filter(part="f", split=FAR)["value"][0]
        for table in (part, thrice)
    )
    assert once == pytest.approx(alike)
