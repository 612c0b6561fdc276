"""Tables of what the study's models do behind other traces, on answers that are known."""

import polars as pl
import pytest

from tests.helpers.bench import script


@pytest.fixture
def asked():
    """bench/asked.py."""
    with script("asked") as module:
        yield module


def answers(right, problems=4, seeds=2, **more):
    """Rows of an arm: right(seed, problem) -> is the answer right?"""
    rows = [
        {"arm": "correct", "seed": s, "index": i, "problem_key": 100 + i, "valid": right(s, i), **more}
        for s in range(seeds)
        for i in range(problems)
    ]
    return pl.DataFrame(rows)


def test_a_share_is_the_mean_of_seeds_on_the_problems_that_all_have(asked):
    table = answers(lambda s, i: i < 2)
    assert asked.mean_of(table.lazy(), pl.col("valid")).startswith("50.0 [")
    without = table.filter(
        ~((pl.col("seed") == 1) & (pl.col("index") == 0))
    )  # which no longer counts for seed 0
    assert asked.mean_of(without.lazy(), pl.col("valid")).startswith("33.3 [")
    assert asked.mean_of(table.filter(index=0).lazy(), pl.col("valid")) == "–"
    assert asked.mean_of(table.clear().lazy(), pl.col("valid")) == "–"


def test_what_was_never_seen_has_an_interval_by_problems_alone(asked):
    """Of 2,000 problems as of 2,000, however many seeds there are."""
    few, many = (answers(lambda s, i: False, 2000, seeds).lazy() for seeds in (2, 5))
    assert asked.mean_of(few, pl.col("valid")) == asked.mean_of(many, pl.col("valid")) == "0.0 [0.0, 0.1]"


def test_a_column_counts_its_rows_alone(asked):
    table = pl.concat([answers(lambda s, i: True, behind="own"), answers(lambda s, i: False, behind="none")])
    columns = {name: (pl.col("behind") == name, pl.col("valid")) for name in ("own", "none", "other")}
    head, _, row, _ = asked.by_arm(table.lazy(), columns)
    assert head == "| arm | seeds | problems | own | none | other |"
    cells = row.split(" | ")
    assert cells[0].removeprefix("| ") == "correct"
    assert [cell.split(" [")[0].removesuffix(" |") for cell in cells[1:]] == ["2", "4", "100.0", "0.0", "–"]
