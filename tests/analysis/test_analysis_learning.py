"""Learning curves over runs: what they hold, who is left out, and the time to a quality on tables by hand."""

import csv
import shutil

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import small
from tracelab import analysis
from tracelab.analysis import learning_figures
from tracelab.analysis.learning import by_arm, means, metrics_of
from tracelab.training.experiment import train

METRICS = [
    "only_solution",
    "solution_optimal",
    "solution_valid",
    "trace_local",
    "trace_paper",
    "trace_parses",
    "trace_strict",
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two seeds of one arm, one of another, and a run that measured nothing."""
    folder = tmp_path_factory.mktemp("study")
    for name, *words in (
        ("correct-0", "trace=correct"),
        ("correct-1", "trace=correct", "seed=1"),
        ("swapped-0", "trace=swapped"),
        ("none", "trace=swapped", "seed=1", "validate_problems=0"),
    ):
        train(small(folder / name, *words, "task.ood=[]", "optim=adamw"))
    return folder


@pytest.fixture(scope="module")
def curves(study):
    with pytest.warns(UserWarning, match="none is left out: it completed no held-out problems"):
        return analysis.learning_curves(study)


def test_curves_are_what_the_runs_have_logged(study, curves):
    assert curves.columns == ["run", "arm", "seed", "step", "tokens", "minutes", "metric", "value", "n"]
    assert set(curves["n"]) == {8}
    for name in ("correct-0", "correct-1", "swapped-0"):
        mine = curves.filter(run=str(study / name))
        assert mine["arm"].unique().to_list() == [name[:-2]]
        assert mine["seed"].unique().to_list() == [int(name[-1])]
        assert sorted(set(mine["metric"])) == METRICS
        with (study / name / "metrics.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["val/problems"]]
        for metric in METRICS:
            part = mine.filter(metric=metric)
            assert part["step"].to_list() == [int(row["step"]) for row in rows] == [5, 11]
            assert part["tokens"].to_list() == [float(row["train/tokens"]) for row in rows]
            assert part["minutes"].to_list() == [float(row["train/minutes"]) for row in rows]
            assert part["value"].to_list() == [float(row[f"val/{metric}"]) for row in rows]


def test_nothing_measured_anywhere(study):
    with (
        pytest.warns(UserWarning, match="is left out"),
        pytest.raises(ValueError, match="validate_problems=64"),
    ):
        analysis.learning_curves(study / "none")


def curve(run, arm, seed, tokens, **values):
    """By hand: shares at these tokens, a minute a thousand."""
    rows = [
        (run, arm, seed, t // 10, t, t / 1000, metric, value, 8)
        for metric, shares in values.items()
        for t, value in zip(tokens, shares, strict=True)
    ]
    names = ["run", "arm", "seed", "step", "tokens", "minutes", "metric", "value", "n"]
    return pl.DataFrame(rows, schema=names, orient="row")


BY_HAND = pl.concat(
    [
        # valid at 2000 and 3000; both at once at 3000 alone
        curve("a", "x", 0, [1000, 2000, 3000], solution_valid=[0.2, 0.9, 1], trace_strict=[0.9, 0.1, 0.8]),
        # falls back
        curve("b", "x", 1, [1500, 2500], solution_valid=[0.9, 0.1], trace_strict=[0.8, 0.8]),
        # never
        curve("c", "x", 2, [1000, 4000], solution_valid=[0.0, 0.89], trace_strict=[1.0, 1.0]),
        curve("d", "y", 0, [1000], solution_valid=[0.5], trace_strict=[0.5]),
    ]
)


def test_time_to_quality():
    times = analysis.time_to_quality(BY_HAND, solution_valid=0.9, trace_strict=0.8)
    assert times.select("run", "reached", "tokens", "minutes", "watched_tokens", "n").rows() == [
        ("a", True, 3000, 3.0, 3000, 8),
        ("b", True, 1500, 1.5, 2500, 8),
        ("c", False, None, None, 4000, 8),
        ("d", False, None, None, 1000, 8),
    ]
    alone = analysis.time_to_quality(BY_HAND, solution_valid=0.9)
    assert alone["tokens"].to_list() == [2000, 1500, None, None]


def test_who_never_gets_there_is_later_than_all():
    arms = by_arm(analysis.time_to_quality(BY_HAND, solution_valid=0.9, trace_strict=0.8))
    assert arms.select("arm", "runs", "reached", "tokens", "minutes").rows() == [
        ("x", 3, 2, 3000.0, 3.0),
        ("y", 1, 0, None, None),
    ]
    half = by_arm(analysis.time_to_quality(BY_HAND.filter(pl.col("run") != "b"), solution_valid=0.9))
    assert half.filter(arm="x")["tokens"].to_list() == [None]  # between 2000 and never


@pytest.mark.parametrize("least", [{}, {"trace_nonsense": 0.5}])
def test_qualities_that_there_are_not(least):
    with pytest.raises(ValueError, match="metrics that the curves have"):
        analysis.time_to_quality(BY_HAND, **least)


def test_means_are_of_all_seeds_where_all_are_known():
    two = BY_HAND.filter(pl.col("run").is_in(["a", "b"]), metric="solution_valid")
    found = means(two)
    assert found.select("tokens", "seeds").rows() == [(1500, 2), (2000, 2), (2500, 2)]
    # a: 0.55, 0.9, 0.95; b: 0.9, 0.5, 0.1
    assert found["value"].to_list() == pytest.approx([0.725, 0.7, 0.525])


def test_the_figure_and_its_numbers(tmp_path, curves, figures):
    path = tmp_path / "learning"
    learning_figures.learning(path, curves)
    assert all((tmp_path / f"learning.{kind}").stat().st_size > 5000 for kind in ("png", "pdf", "svg"))
    drawn = pl.read_csv(path.with_suffix(".csv"), infer_schema_length=None)
    seeds, mean = drawn.filter(pl.col("run").is_not_null()), drawn.filter(pl.col("run").is_null())
    names = ["run", "metric", "tokens", "value"]
    assert seeds.select(names).rows() == curves.select(names).rows()
    assert np.allclose(mean["value"], means(curves)["value"])
    assert metrics_of(curves)[:2] == ["solution_valid", "solution_optimal"]


def test_an_older_run_is_the_same_arm(study, tmp_path):
    """Its config knows no validate_problems."""
    shutil.copytree(study, tmp_path / "study")
    path = tmp_path / "study" / "correct-1" / "config.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("validate_problems")]
    path.write_text("\n".join(lines))
    assert analysis.runs(tmp_path)["arm"].to_list() == ["correct", "correct", "swapped", "swapped"]
